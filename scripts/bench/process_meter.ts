/** What a process uses, from `/proc` where there is one and from `ps` elsewhere. */
export interface Usage {
  readonly atMs: number;
  /** User and system time since its start. */
  readonly cpuMs: number;
  readonly rssMb: number;
  /** Open file descriptors; `undefined` where that cannot be read. */
  readonly descriptors: number | undefined;
}

/** Linux counts CPU time in hundredths of a second on all machines that Deno runs on. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export async function usageOf(pid: number): Promise<Usage> {
  return Deno.build.os === "linux" ? readProc(pid) : await askPs(pid);
}

function readProc(pid: number): Usage {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name of the program may hold spaces and parentheses; the fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    atMs: performance.now(),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    rssMb: Number(fields[21]) * PAGE_BYTES / 2 ** 20,
    descriptors: Array.from(Deno.readDirSync(`/proc/${pid}/fd`)).length,
  };
}

async function askPs(pid: number): Promise<Usage> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "time=,rss=", "-p", String(pid)] }).output();
  const [time = "", rss = ""] = new TextDecoder().decode(stdout).trim().split(/\s+/);
  return { atMs: performance.now(), cpuMs: parseTime(time) * 1000, rssMb: Number(rss) / 1024, descriptors: undefined };
}

/** Seconds of `[[dd-]hh:]mm:ss.cc`. */
export function parseTime(text: string): number {
  const [days, clock] = text.includes("-") ? text.split("-") as [string, string] : ["0", text];
  return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400;
}

/** Milliseconds of CPU in each second between two readings. */
export function cpuRate(from: Usage, to: Usage): number {
  return (to.cpuMs - from.cpuMs) / (to.atMs - from.atMs) * 1000;
}

/** Looks at a process again and again. */
export class UsageWatch implements Disposable {
  readonly readings: Usage[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number, everyMs = 250) {
    this.#timer = setInterval(() => {
      usageOf(pid).then((usage) => this.readings.push(usage), () => {
        // It has ended, which its owner finds out.
      });
    }, everyMs);
  }
  get highestMb(): number {
    return Math.max(...this.readings.map(({ rssMb }) => rssMb));
  }
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
