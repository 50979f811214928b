/** A small Debian in a container of its own, started with systemd, for checks of the installation. */
import { run } from "./dist.ts";

/** How long anything in it may take. */
const LIMIT_MS = 60_000;

/** A running Debian, whose processes, files and network are its own. */
export class Container implements AsyncDisposable {
  readonly root: string;
  readonly #nspawn: Deno.ChildProcess;
  readonly #init: string;

  private constructor(root: string, nspawn: Deno.ChildProcess, init: string) {
    this.root = root;
    this.#nspawn = nspawn;
    this.#init = init;
  }

  /** Starts it and waits until systemd has. */
  static async boot(root: string): Promise<Container> {
    const nspawn = new Deno.Command("systemd-nspawn", {
      args: ["--quiet", "--boot", "--directory", root, "--private-network", "--register=no", "--keep-unit"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      return await Container.#started(root, nspawn);
    } catch (error) {
      nspawn.kill("SIGKILL");
      await nspawn.status;
      throw error;
    }
  }

  static async #started(root: string, nspawn: Deno.ChildProcess): Promise<Container> {
    const init = await soon(async () => {
      const children = await Deno.readTextFile(`/proc/${nspawn.pid}/task/${nspawn.pid}/children`);
      const pid = children.trim().split(" ")[0];
      // At first it is a part of nspawn.
      if (!pid || (await Deno.readTextFile(`/proc/${pid}/comm`)).trim() !== "systemd") return undefined;
      return pid;
    }, "the container to start");
    const container = new Container(root, nspawn, init);
    await soon(async () => {
      const state = await container.sh("systemctl is-system-running || true");
      return /running|degraded/.test(state) || undefined;
    }, "systemd to start");
    return container;
  }

  /** Runs a line of shell inside; answers what it printed. */
  sh(line: string): Promise<string> {
    const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive";
    return run("nsenter", ["-t", this.#init, "-m", "-u", "-i", "-n", "-p", "sh", "-ec", `export ${path}; ${line}`]);
  }

  /** Asks the server inside, which may still be starting; answers status and body. */
  slowApi(path = "", body?: string): Promise<string> {
    return soon(() => this.api(path, body), `an answer of /api${path}`);
  }

  /** Asks the server inside; answers status and body, and rejects when there is none or it is no success. */
  async api(path = "", body?: string): Promise<string> {
    const code = `const answer = await fetch(${JSON.stringify(`http://127.0.0.1:1984/api${path}`)}, ${
      JSON.stringify(body === undefined ? {} : { method: "POST", body })
    }); console.log(answer.status, await answer.text()); if (!answer.ok) Deno.exit(1);`;
    return await run("nsenter", ["-t", this.#init, "-n", Deno.execPath(), "eval", code]);
  }

  /** Resolves when the journal of the service has such a line. */
  async logged(pattern: RegExp): Promise<void> {
    const look = async () => pattern.test(await this.sh("journalctl -u lenswire --no-pager")) || undefined;
    await soon(look, `a line like ${pattern} in the journal`);
  }

  /** The process of the service; 0 when there is none. */
  async pid(): Promise<number> {
    return Number(/MainPID=(\d+)/.exec(await this.sh("systemctl show -p MainPID lenswire"))![1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(Number(this.#init), "SIGKILL");
    await this.#nspawn.status;
  }
}

/** Resolves with the first answer that is not `undefined`, however often the question fails before. */
export async function soon<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const endMs = performance.now() + LIMIT_MS;
  while (performance.now() < endMs) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`Waited in vain for ${what}`);
}
