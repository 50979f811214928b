import { nobody } from "./principals.ts";
import type { CameraRight, Principal } from "./types.ts";

/** Who came in, as the settings have it at each moment: a right that is taken away is gone from open connections too. */
export class Entered implements Principal {
  readonly #again: () => Principal | undefined;
  readonly #generationNow: () => number;
  #generation: number;
  #current: Principal;
  #isLetIn = true;

  /**
   * `again` answers who it is by the settings of now, `undefined` when it is not let in; it is asked when `generation`
   * answers another number.
   */
  constructor(first: Principal, again: () => Principal | undefined, generation: () => number) {
    this.#current = first;
    this.#again = again;
    this.#generationNow = generation;
    this.#generation = generation();
  }

  get #now(): Principal {
    const generation = this.#generationNow();
    if (generation !== this.#generation) {
      this.#generation = generation;
      const found = this.#again();
      this.#isLetIn = found !== undefined;
      this.#current = found ?? { ...nobody(""), name: this.#current.name };
    }
    return this.#current;
  }

  get isLetIn(): boolean {
    void this.#now;
    return this.#isLetIn;
  }
  get name(): string {
    return this.#now.name;
  }
  get isAdmin(): boolean {
    return this.#now.isAdmin;
  }
  get mayOperate(): boolean {
    return this.#now.mayOperate;
  }
  get isTrusted(): boolean {
    return this.#now.isTrusted;
  }
  can(right: CameraRight, stream: string): boolean {
    return this.#now.can(right, stream);
  }
}
