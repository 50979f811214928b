import {
  basicChallenge,
  digestChallenge,
  parseAuthorization,
  type Peer,
  type PluginContext,
  type Principal,
  verifyDigest,
} from "../../core/mod.ts";
import { REALM, type RtspConfig } from "./options.ts";
import type { RtspRequest } from "./message.ts";

/** Who a connection's peer is, or what to answer him. */
export type LoginResult =
  | { readonly principal: Principal }
  /** Challenges to answer 401 with; a wrong login also costs the connection. */
  | { readonly challenges: readonly string[]; readonly isWrong: boolean };

/**
 * The login of one connection. Basic is for every user; Digest only for the login of the `rtsp` section, as it needs the
 * password itself. The nonce belongs to the connection, so an answer that was overheard is of no use on another.
 */
export class ServerLogin {
  readonly #identify: PluginContext["identify"];
  readonly #peer: Peer;
  readonly #own: Pick<RtspConfig, "username" | "password">;
  readonly #nonce = crypto.randomUUID().replaceAll("-", "");
  #offersDigest: boolean;

  constructor(identify: PluginContext["identify"], peer: Peer, own: Pick<RtspConfig, "username" | "password">) {
    this.#identify = identify;
    this.#peer = peer;
    this.#own = own;
    this.#offersDigest = own.username !== "";
  }

  /** Looks at a request's `Authorization`. */
  check(request: RtspRequest): LoginResult {
    const header = request.headers.get("Authorization");
    const answer = header === undefined ? undefined : parseAuthorization(header);
    if (!answer) return this.#result(this.#identify(this.#peer), false);
    if (answer.scheme === "basic") return this.#result(this.#identify(this.#peer, answer), true);
    const { username, password } = this.#own;
    if (username === "" || answer.username !== username) {
      // Somebody else's: his password is only known as a whole.
      this.#offersDigest = false;
      return this.#result(this.#identify(this.#peer), false);
    }
    if (answer.nonce !== this.#nonce) {
      // Whether the password is right is not told: guesses with a nonce of one's own are not counted.
      const isStale = answer.parameters.get("realm") === REALM && answer.parameters.has("response");
      return this.#result(this.#identify(this.#peer), false, isStale);
    }
    const isRight = verifyDigest(answer, { method: request.method, realm: REALM, password });
    // A wrong one is shown on, so that whoever counts them counts this one too.
    const shown = { username, password: isRight ? password : crypto.randomUUID() };
    return this.#result(this.#identify(this.#peer, shown), true);
  }

  #result(principal: Principal | undefined, hasLogin: boolean, isStale = false): LoginResult {
    if (principal) return { principal };
    return {
      isWrong: hasLogin,
      challenges: [
        ...(this.#offersDigest ? [digestChallenge(REALM, this.#nonce, isStale)] : []),
        basicChallenge(REALM),
      ],
    };
  }
}
