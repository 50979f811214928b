/** Calls of functions in a worker. */

interface Question {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a worker can be asked: arguments and answers are copied. */
type Calls<T> = { [K in keyof T]: (...args: never[]) => unknown };

interface Port {
  postMessage(message: Answer): void;
  onmessage: ((event: MessageEvent<Question>) => void) | null;
}

/** In a worker: answers calls. */
export function answerCalls<T extends Calls<T>>(calls: T): void {
  const port = globalThis as unknown as Port;
  port.onmessage = async ({ data: { id, name, args } }) => {
    try {
      port.postMessage({ id, value: await calls[name as keyof T](...args as never[]) });
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  };
}

/** A worker and what it can be asked. */
export class Remote<T extends Calls<T>> implements Disposable {
  readonly #worker: Worker;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #nextId = 0;

  constructor(module: URL) {
    this.#worker = new Worker(module, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const call = this.#open.get(data.id);
      this.#open.delete(data.id);
      if (data.error === undefined) call?.resolve(data.value);
      else call?.reject(new Error(data.error));
    };
    this.#worker.onerror = (event) => {
      for (const { reject } of this.#open.values()) reject(new Error(event.message));
      this.#open.clear();
    };
  }

  call<K extends keyof T & string>(name: K, ...args: Parameters<T[K]>): Promise<Awaited<ReturnType<T[K]>>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#open.set(id, { resolve: (value) => resolve(value as Awaited<ReturnType<T[K]>>), reject });
      this.#worker.postMessage({ id, name, args } satisfies Question);
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
