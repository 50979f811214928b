/** The programs that tests use as peers, and where Debian has them. */

/** Whether a program can be started. */
export async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(name, {
      args: args.length > 0 ? args : ["-version"],
      stdout: "null",
      stderr: "null",
    })
      .output()).success;
  } catch {
    return false;
  }
}

async function hasGstElement(name: string): Promise<boolean> {
  return await hasProgram("gst-inspect-1.0", name);
}

async function hasPythonModule(code: string): Promise<boolean> {
  return await hasProgram("python3", "-c", code);
}

/** What is looked for, and the Debian packages that bring it. */
export const PACKAGES: readonly { isThere(): Promise<boolean>; packages: readonly string[] }[] = [
  { isThere: () => hasProgram("ffmpeg"), packages: ["ffmpeg"] },
  { isThere: () => hasProgram("chromium", "--version"), packages: ["chromium"] },
  { isThere: () => hasGstElement("rtspsrc"), packages: ["gstreamer1.0-tools", "gstreamer1.0-plugins-good"] },
  { isThere: () => hasGstElement("x264enc"), packages: ["gstreamer1.0-plugins-ugly"] },
  { isThere: () => hasGstElement("avdec_h264"), packages: ["gstreamer1.0-libav"] },
  { isThere: () => hasGstElement("h264parse"), packages: ["gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-base"] },
  { isThere: () => hasGstElement("rtspclientsink"), packages: ["gstreamer1.0-rtsp"] },
  {
    isThere: () =>
      hasPythonModule("import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"),
    packages: ["python3-gi", "gir1.2-gst-rtsp-server-1.0"],
  },
  { isThere: () => hasProgram("cvlc", "--version"), packages: ["vlc-bin", "vlc-plugin-base"] },
  { isThere: () => hasProgram("ip", "-Version"), packages: ["iproute2"] },
];

/** Options of `Deno.test` that skip it, with the reason in its name, when a program is missing. */
export async function needs(
  name: string,
  ...programs: readonly ("ffmpeg" | "chromium" | "gstreamer" | "gst-rtsp-server" | "vlc" | "netns")[]
): Promise<{ name: string; ignore: boolean }> {
  const missing: string[] = [];
  for (const program of programs) if (!await isThere(program)) missing.push(program);
  return missing.length === 0
    ? { name, ignore: false }
    : { name: `${name} (skipped: no ${missing.join(", ")})`, ignore: true };
}

const known = new Map<string, Promise<boolean>>();

function isThere(program: string): Promise<boolean> {
  let answer = known.get(program);
  if (!answer) known.set(program, answer = look(program));
  return answer;
}

async function look(program: string): Promise<boolean> {
  switch (program) {
    case "chromium":
      return await hasProgram("chromium", "--version");
    case "gstreamer":
      return await hasGstElement("rtspsrc") && await hasGstElement("avdec_h264") && await hasGstElement("h264parse");
    case "gst-rtsp-server":
      return await hasGstElement("x264enc") &&
        await hasPythonModule(
          "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer",
        );
    case "vlc":
      return await hasProgram("cvlc", "--version");
    case "netns":
      return await hasProgram("ip", "netns", "add", "lenswire-probe") &&
        await hasProgram("ip", "netns", "delete", "lenswire-probe");
    default:
      return await hasProgram(program);
  }
}
