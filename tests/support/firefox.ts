/** Firefox for tests, without its own driver: it speaks WebDriver BiDi over a WebSocket. */
import { start } from "./programs.ts";

// Fake devices without questions, plain addresses, loopback among them.
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.devices.insecure.enabled": true,
  "media.getusermedia.insecure.enabled": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.tcp": true,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "app.update.enabled": false,
};

/** One page in a browser of its own. */
export interface FirefoxPage extends AsyncDisposable {
  goto(url: string): Promise<void>;
  /** Runs a script and answers the value of its last expression, which must be JSON. */
  evaluate(script: string): Promise<unknown>;
}

/** Starts Firefox with an empty page. */
export async function openFirefox(): Promise<FirefoxPage> {
  const profile = await Deno.makeTempDir({ prefix: "lenswire-firefox-" });
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`);
  await Deno.writeTextFile(`${profile}/user.js`, lines.join("\n"));
  const firefox = start("firefox-esr", ["--headless", "--profile", profile, "--remote-debugging-port=0"], {
    env: { HOME: profile },
  });
  const close = async () => {
    await firefox[Symbol.asyncDispose]();
    await Deno.remove(profile, { recursive: true });
  };
  try {
    const driver = await Driver.connect(`${await addressIn(() => firefox.errors())}/session`);
    await driver.ask("session.new", { capabilities: {} });
    const { context } = await driver.ask("browsingContext.create", { type: "tab" }) as { context: string };
    return {
      async goto(url) {
        await driver.ask("browsingContext.navigate", { context, url, wait: "complete" });
      },
      async evaluate(script) {
        const expression = `(async () => JSON.stringify(await (0, eval)(${JSON.stringify(script)}) ?? null))()`;
        const answer = await driver.ask("script.evaluate", { expression, target: { context }, awaitPromise: true });
        const { result, exceptionDetails } = answer as {
          result?: { value: string };
          exceptionDetails?: { text: string };
        };
        if (!result) throw new Error(exceptionDetails?.text ?? "Nothing came of the script");
        return JSON.parse(result.value);
      },
      async [Symbol.asyncDispose]() {
        driver.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function addressIn(text: () => string): Promise<string> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const found = /WebDriver BiDi listening on (ws:\S+)/.exec(text());
    if (found) return found[1]!;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Firefox did not start: ${text()}`);
}

/** Commands and their answers. */
class Driver {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result, message } = JSON.parse(data) as { id?: number; result?: unknown; message?: string };
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (id === undefined || !waiting) return;
      this.#waiting.delete(id);
      if (message === undefined) waiting.resolve(result);
      else waiting.reject(new Error(message));
    };
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("Firefox has ended"));
    };
  }

  static async connect(url: string): Promise<Driver> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`Cannot connect to Firefox at ${url}`));
    });
    return new Driver(socket);
  }

  ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#count;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  }

  close(): void {
    this.#socket.close();
  }
}
