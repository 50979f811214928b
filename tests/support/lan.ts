/** Networks of two: this machine, or a namespace, and another namespace, on addresses that are not loopback. */

/** The network; dispose of it to remove it. */
export interface Lan extends AsyncDisposable {
  /** Our address in it. */
  readonly host: string;
  /** The namespace's address. */
  readonly peer: string;
  readonly namespace: string;
  /** Runs a program inside the namespace. */
  inside(program: string, ...args: readonly string[]): Promise<string>;
  /** Cuts the namespace off: what is in it can neither send nor receive. */
  cut(): Promise<void>;
}

/** Beside other test files in this process and other processes: nothing but chance keeps them apart. */
function chance(below: number): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % below;
}

/**
 * Makes a namespace and a pair of interfaces that lead into it, from this machine's own or from the one named. Needs
 * root.
 */
export async function openLan(from?: string): Promise<Lan> {
  const id = chance(0x1_0000_0000).toString(36);
  const [namespace, ours, theirs] = [`lw${id}`, `lwh${id}`, `lwp${id}`];
  // One of the networks that are set aside for measurements, so that it is nobody's.
  const net = `198.${18 + chance(2)}.${chance(256)}`;
  const [host, peer] = [`${net}.1`, `${net}.2`];
  const near = from === undefined ? [] : ["-n", from];
  const close = async () => {
    await run("ip", "netns", "delete", namespace).catch(() => {});
    await run("ip", ...near, "link", "delete", ours).catch(() => {});
  };
  try {
    await run("ip", "netns", "add", namespace);
    await run("ip", ...near, "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace);
    await run("ip", ...near, "address", "add", `${host}/24`, "dev", ours);
    await run("ip", ...near, "link", "set", ours, "up");
    await run("ip", "-n", namespace, "address", "add", `${peer}/24`, "dev", theirs);
    await run("ip", "-n", namespace, "link", "set", theirs, "up");
    await run("ip", "-n", namespace, "link", "set", "lo", "up");
    await run("ip", "-n", namespace, "route", "add", "default", "via", host);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    peer,
    namespace,
    inside: (program, ...args) => run("ip", "netns", "exec", namespace, program, ...args),
    cut: async () => void await run("ip", "-n", namespace, "link", "set", theirs, "down"),
    [Symbol.asyncDispose]: close,
  };
}

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}
