/** The programs that tests use as peers, where they come from, and tests that are skipped without them. */
import { pionPeer } from "./go.ts";
import { canRun, hasProgram, run } from "./processes.ts";
import { aiortcPython, anyPython, gstPython, gstWebRtcPython, homeAssistantPython } from "./python.ts";

export { pionPeer } from "./go.ts";
export { hasProgram, type Program, type Result, run, type RunOptions, start } from "./processes.ts";
export { aiortcPython, gstPython, gstWebRtcPython, homeAssistantPython } from "./python.ts";

async function hasGstElement(name: string): Promise<boolean> {
  return await hasProgram("gst-inspect-1.0", name);
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
  { isThere: () => hasProgram("nft", "--version"), packages: ["nftables"] },
  { isThere: () => hasProgram("nginx", "-v"), packages: ["nginx-light"] },
  { isThere: () => hasProgram("turnserver", "--version"), packages: ["coturn"] },
  { isThere: async () => await anyPython() !== undefined, packages: ["python3-venv"] },
];

/** How Deno runs the peer that libdatachannel makes. */
export function datachannelPeer(...args: readonly string[]): string[] {
  const program = new URL("./datachannel_peer.ts", import.meta.url).pathname;
  return ["run", "-A", "--no-check", "--no-config", "--no-lock", program, ...args];
}

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
  | "aiortc"
  | "go2rtc-client"
  | "pion"
  | "node-datachannel"
  | "go2rtc (its path in GO2RTC)"
  | "coturn"
  | "netns"
  | "nft"
  | "nginx";

/** Options of `Deno.test` that skip it, with the reason in its name, when a program is missing. */
export async function needs(name: string, ...programs: readonly Need[]): Promise<{ name: string; ignore: boolean }> {
  const missing: string[] = [];
  for (const program of programs) if (!await isThere(program)) missing.push(program);
  return missing.length === 0
    ? { name, ignore: false }
    : { name: `${name} (skipped: no ${missing.join(", ")})`, ignore: true };
}

const NFT_PROBE = "table ip probe { chain out { type nat hook postrouting priority srcnat; masquerade; }\n}";
const PROBE = `lenswire-probe-${crypto.randomUUID().slice(0, 8)}`;

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
    case "aiortc":
      return await aiortcPython() !== undefined;
    case "go2rtc-client":
      return await homeAssistantPython() !== undefined;
    case "node-datachannel":
      return await canRun(Deno.execPath(), datachannelPeer("probe"));
    case "go2rtc (its path in GO2RTC)":
      return await canRun(Deno.env.get("GO2RTC") ?? "", ["-version"]);
    case "pion":
      return await pionPeer() !== undefined;
    case "nginx":
      return await hasProgram("nginx", "-v");
    case "coturn":
      return await hasProgram("turnserver", "--version");
    case "nft":
      return await hasProgram("unshare", "-n", "nft", NFT_PROBE);
    case "netns":
      return await hasProgram("ip", "netns", "add", PROBE) && await hasProgram("ip", "netns", "delete", PROBE);
    default:
      return await hasProgram(program);
  }
}
