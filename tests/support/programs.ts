/** The programs that tests use as peers, where Debian has them, and how they are run. */

/** How a program is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Without rights: VLC refuses to run as root. */
  readonly asNobody?: boolean;
  readonly cwd?: string;
}

/** The one that owns nothing, on every Unix. */
const NOBODY = 65534;

function commandOf(name: string, args: readonly string[], options: RunOptions, output: "piped" | "null") {
  const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;
  return new Deno.Command(name, {
    args: [...args],
    env: { ...options.env },
    stdin: "null",
    stdout: output,
    stderr: output,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.asNobody && isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
}

/** What a program left behind; `output` is what it printed and complained of. */
export interface Result {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end, which comes after `limitS` seconds at the latest. */
export async function run(
  name: string,
  args: readonly string[],
  options: RunOptions & { readonly limitS?: number } = {},
): Promise<Result> {
  const whole = ["-k", "2", String(options.limitS ?? 25), name, ...args];
  const { code, stdout, stderr } = await commandOf("timeout", whole, options, "piped").output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** A program that runs until it is disposed of. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  /** What it complained of so far. */
  errors(): string;
  /** Ends it, if it has not ended by itself. */
  kill(signal?: Deno.Signal): void;
}

/** Starts a program; its standard output is the caller's to read. */
export function start(name: string, args: readonly string[], options: RunOptions = {}): Program {
  const child = commandOf(name, args, options, "piped").spawn();
  let errors = "";
  const collected = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) errors = (errors + decoder.decode(chunk, { stream: true })).slice(-100_000);
  })();
  const kill = (signal: Deno.Signal = "SIGKILL") => {
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  return {
    pid: child.pid,
    stdout: child.stdout,
    status: child.status,
    errors: () => errors,
    kill,
    async [Symbol.asyncDispose]() {
      kill();
      if (!child.stdout.locked) await child.stdout.cancel();
      await Promise.all([child.status, collected]);
    },
  };
}

/** Whether a program can be started. */
export async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  return await canRun(name, args.length > 0 ? args : ["-version"]);
}

async function canRun(name: string, args: readonly string[], options: RunOptions = {}): Promise<boolean> {
  try {
    return (await commandOf(name, args, options, "null").output()).success;
  } catch {
    return false;
  }
}

async function hasGstElement(name: string): Promise<boolean> {
  return await hasProgram("gst-inspect-1.0", name);
}

const GST_SERVER = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
const GST_WEBRTC = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC";
const MODERN = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))";

/** A Python interpreter, and the environment it is to be run with. */
export interface Python {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Debian's own first, whatever else is in front of it; then others by name, and those that pyenv keeps. */
const PYTHONS: readonly Python[] = [
  ...["/usr/bin/python3", "python3", "python3.14", "python3.13", "python3.12"].map((command) => ({ command, env: {} })),
  ...["3.13", "3.12"].map((version) => ({ command: "python3", env: { PYENV_VERSION: version } })),
];

async function findPython(code: string): Promise<Python | undefined> {
  for (const python of PYTHONS) if (await canRun(python.command, ["-c", code], python)) return python;
  return undefined;
}

/** The Python that has the bindings of GStreamer's RTSP server. */
export function gstPython(): Promise<Python | undefined> {
  return findPython(GST_SERVER);
}

/** The Python that has the bindings of GStreamer's WebRTC. */
export function gstWebRtcPython(): Promise<Python | undefined> {
  return findPython(GST_WEBRTC);
}

/** A Python of version 3.12 or newer that can make virtual environments. */
export function modernPython(): Promise<Python | undefined> {
  return findPython(MODERN);
}

async function hasVlc(): Promise<boolean> {
  return await canRun("cvlc", ["--version"], { asNobody: true, env: { HOME: "/tmp" } });
}

// Debian builds VLC without its RTSP client.
async function hasVlcRtsp(): Promise<boolean> {
  const options = { asNobody: true, env: { HOME: "/tmp" } };
  return await hasVlc() && (await run("cvlc", ["--list"], options)).output.includes("live555");
}

/** What is looked for, and the Debian packages that bring it. */
export const PACKAGES: readonly { isThere(): Promise<boolean>; packages: readonly string[] }[] = [
  { isThere: () => hasProgram("ffmpeg"), packages: ["ffmpeg"] },
  { isThere: () => hasProgram("chromium", "--version"), packages: ["chromium"] },
  { isThere: () => hasProgram("firefox-esr", "--version"), packages: ["firefox-esr"] },
  { isThere: () => hasGstElement("rtspsrc"), packages: ["gstreamer1.0-tools", "gstreamer1.0-plugins-good"] },
  { isThere: () => hasGstElement("x264enc"), packages: ["gstreamer1.0-plugins-ugly"] },
  { isThere: () => hasGstElement("avdec_h264"), packages: ["gstreamer1.0-libav"] },
  { isThere: () => hasGstElement("h264parse"), packages: ["gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-base"] },
  { isThere: () => hasGstElement("rtspclientsink"), packages: ["gstreamer1.0-rtsp"] },
  {
    isThere: async () => await gstPython() !== undefined,
    packages: ["python3-gi", "gir1.2-gst-rtsp-server-1.0"],
  },
  {
    isThere: async () => await hasGstElement("nicesrc") && await gstWebRtcPython() !== undefined,
    packages: ["gstreamer1.0-nice", "gir1.2-gst-plugins-bad-1.0"],
  },
  { isThere: hasVlc, packages: ["vlc-bin", "vlc-plugin-base"] },
  { isThere: () => hasProgram("ip", "-Version"), packages: ["iproute2"] },
];

/** What a test can need. */
export type Need =
  | "ffmpeg"
  | "chromium"
  | "firefox"
  | "gstreamer"
  | "rtspclientsink"
  | "gst-rtsp-server"
  | "openh264enc"
  | "webrtcbin"
  | "vlc"
  | "vlc with RTSP"
  | "python 3.12"
  | "netns";

/** Options of `Deno.test` that skip it, with the reason in its name, when a program is missing. */
export async function needs(name: string, ...programs: readonly Need[]): Promise<{ name: string; ignore: boolean }> {
  const missing: string[] = [];
  for (const program of programs) if (!await isThere(program)) missing.push(program);
  return missing.length === 0
    ? { name, ignore: false }
    : { name: `${name} (skipped: no ${missing.join(", ")})`, ignore: true };
}

const PROBE = `lenswire-probe-${Deno.pid}`;

const known = new Map<Need, Promise<boolean>>();

function isThere(program: Need): Promise<boolean> {
  let answer = known.get(program);
  if (!answer) known.set(program, answer = look(program));
  return answer;
}

async function look(program: Need): Promise<boolean> {
  switch (program) {
    case "chromium":
      return await hasProgram("chromium", "--version");
    case "firefox":
      return await hasProgram("firefox-esr", "--version");
    case "gstreamer":
      return await hasGstElement("rtspsrc") && await hasGstElement("avdec_h264") && await hasGstElement("h264parse");
    case "rtspclientsink":
    case "openh264enc":
      return await hasGstElement(program);
    case "webrtcbin":
      return await hasGstElement("webrtcbin") && await hasGstElement("nicesrc") &&
        await hasGstElement("avdec_h264") && await gstWebRtcPython() !== undefined;
    case "gst-rtsp-server":
      return await hasGstElement("x264enc") && await gstPython() !== undefined;
    case "vlc":
      return await hasVlc();
    case "vlc with RTSP":
      return await hasVlcRtsp();
    case "python 3.12":
      return await modernPython() !== undefined;
    case "netns":
      return await hasProgram("ip", "netns", "add", PROBE) && await hasProgram("ip", "netns", "delete", PROBE);
    default:
      return await hasProgram(program);
  }
}
