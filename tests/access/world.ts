/** A server with its networks: a home, and the internet. Made of network namespaces; needs root. */
import { type Server, type ServerOptions, startServer } from "../support/server.ts";

/** Somebody somewhere. */
export class Peer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  constructor(namespace: string) {
    const program = new URL("./peer_program.ts", import.meta.url).pathname;
    const args = ["netns", "exec", namespace, Deno.execPath(), "run", "-A", "--unstable-net", program];
    this.#child = new Deno.Command("ip", { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#child.stdin.getWriter();
  }

  /** Sends bytes (a character each) over a connection of their own; answers what came until a match or the end. */
  async ask(address: string, data: string, pattern = "(?!)"): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify({ address, data, pattern })}\n`));
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line);
      }
      const { done, value } = await this.#lines.read();
      if (done) throw new Error("The peer's program has ended");
      this.#rest += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#child.status;
    await this.#lines.cancel();
  }
}

/** The server, and who may come to it. */
export interface World extends AsyncDisposable {
  readonly server: Server;
  readonly httpPort: number;
  readonly rtspPort: number;
  /** A host of the home's network. */
  readonly home: Peer;
  /** A host of the internet. */
  readonly internet: Peer;
  /** A program on the machine itself. */
  readonly machine: Peer;
}

export const SERVER_AT_HOME = "192.168.77.1";
export const SERVER_IN_INTERNET = "192.0.2.1";
export const HOME_HOST = "192.168.77.2";

/** Makes it. */
export async function openWorld(options: ServerOptions): Promise<World> {
  const id = `o${crypto.randomUUID().slice(0, 8)}`;
  const [own, home, internet] = [`${id}s`, `${id}l`, `${id}i`];
  await using undo = new AsyncDisposableStack();
  for (const name of [own, home, internet]) {
    await ip("netns", "add", name);
    undo.defer(() => ip("netns", "delete", name));
    await ip("-n", name, "link", "set", "lo", "up");
  }
  await connect(own, "lan0", `${SERVER_AT_HOME}/24`, home, `${HOME_HOST}/24`);
  // Only its own address is on the link: whoever comes from there is far away.
  await connect(own, "wan0", `${SERVER_IN_INTERNET}/32`, internet, "198.51.100.7/24");
  await ip("-n", own, "route", "add", "198.51.100.0/24", "dev", "wan0");
  await ip("-n", internet, "route", "add", SERVER_IN_INTERNET, "dev", "eth0");
  const server = undo.use(await startServer({ ...options, namespace: own, host: "0.0.0.0" }));
  const peers = [home, internet, own].map((name) => undo.use(new Peer(name)));
  const close = undo.move();
  return {
    server,
    httpPort: Number(server.api.split(":")[1]),
    rtspPort: Number(server.rtsp.split(":")[1]),
    home: peers[0]!,
    internet: peers[1]!,
    machine: peers[2]!,
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
}

async function connect(own: string, link: string, address: string, other: string, otherAddress: string): Promise<void> {
  await ip("-n", own, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", other);
  await ip("-n", own, "address", "add", address, "dev", link);
  await ip("-n", own, "link", "set", link, "up");
  await ip("-n", other, "address", "add", otherAddress, "dev", "eth0");
  await ip("-n", other, "link", "set", "eth0", "up");
}

async function ip(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args: [...args] }).output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
