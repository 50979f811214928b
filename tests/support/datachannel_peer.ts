/**
 * A peer of WebRTC that libdatachannel makes, as OBS has it; a process of its own, since it is native. `watch URL` counts
 * the pictures that it gets over WHEP, `publish URL FILE` sends a file of H264 (Annex B, 25 pictures a second) by WHIP
 * until it is ended, `probe` only loads it.
 */
import { Buffer } from "node:buffer";

/** Not in `deno.json`: whoever starts the server would download the libraries of all systems. */
const PACKAGE = "npm:node-datachannel@0.33.4";
const PICTURES = 50;
const TICKS = 3600;
const SSRC = 1234;

/** What is used of the package. */
interface Library {
  readonly PeerConnection: new (name: string, config: { iceServers: string[] }) => Peer;
  readonly Video: new (mid: string, direction: "RecvOnly" | "SendOnly") => Video;
  readonly RtcpReceivingSession: new () => object;
  readonly RtcpNackResponder: new () => object;
  readonly RtcpSrReporter: new (config: PacketConfig) => object;
  readonly RtpPacketizationConfig: new (ssrc: number, name: string, type: number, rate: number) => PacketConfig;
  readonly H264RtpPacketizer: new (separator: "StartSequence", config: PacketConfig, maxBytes: number) => {
    addToChain(handler: object): void;
  };
}
interface PacketConfig {
  timestamp: number;
}
interface Video {
  addH264Codec(type: number): void;
  addSSRC(ssrc: number, name: string, msid: string, track: string): void;
}
interface Track {
  setMediaHandler(handler: object): void;
  onMessage(take: (packet: Uint8Array) => void): void;
  onOpen(tell: () => void): void;
  sendMessageBinary(bytes: Buffer): boolean;
}
interface Peer {
  addTrack(media: Video): Track;
  onGatheringStateChange(tell: (state: string) => void): void;
  setLocalDescription(): void;
  localDescription(): { readonly sdp: string } | null;
  setRemoteDescription(sdp: string, type: "answer"): void;
  close(): void;
}

const rtc: Library = (await import(PACKAGE)).default;
const [what, url = "", file = ""] = Deno.args;

async function connect(peer: Peer): Promise<void> {
  const gathered = new Promise<void>((resolve) =>
    peer.onGatheringStateChange((state) => state === "complete" && resolve())
  );
  peer.setLocalDescription();
  await gathered;
  const body = peer.localDescription()!.sdp;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${answer}`);
  peer.setRemoteDescription(answer, "answer");
}

async function watch(): Promise<void> {
  const peer = new rtc.PeerConnection("viewer", { iceServers: [] });
  const video = new rtc.Video("0", "RecvOnly");
  video.addH264Codec(96);
  const track = peer.addTrack(video);
  track.setMediaHandler(new rtc.RtcpReceivingSession());
  const pictures = new Promise<number>((resolve) => {
    let count = 0;
    // The marker ends a picture.
    track.onMessage((packet) =>
      (packet[1]! & 0x80) !== 0 && (packet[1]! & 127) === 96 && ++count === PICTURES && resolve(count)
    );
  });
  await connect(peer);
  console.log("pictures", await pictures);
  peer.close();
}

/** Pictures with their parameter sets in front. */
function picturesOf(film: Uint8Array): Uint8Array[] {
  const pictures: Uint8Array[] = [];
  let start = 0;
  let hasPicture = false;
  for (let at = 0; at + 4 < film.length; at++) {
    if (film[at] !== 0 || film[at + 1] !== 0 || film[at + 2] !== 1) continue;
    const begin = film[at - 1] === 0 ? at - 1 : at;
    if (hasPicture) {
      pictures.push(film.subarray(start, begin));
      start = begin;
    }
    const type = film[at + 3]! & 31;
    hasPicture = type === 1 || type === 5;
  }
  return pictures;
}

async function publish(): Promise<void> {
  const pictures = picturesOf(await Deno.readFile(file));
  const peer = new rtc.PeerConnection("publisher", { iceServers: [] });
  const video = new rtc.Video("0", "SendOnly");
  video.addH264Codec(96);
  video.addSSRC(SSRC, "obs", "obs", "video");
  const config = new rtc.RtpPacketizationConfig(SSRC, "obs", 96, 90_000);
  const packetizer = new rtc.H264RtpPacketizer("StartSequence", config, 1200);
  packetizer.addToChain(new rtc.RtcpSrReporter(config));
  packetizer.addToChain(new rtc.RtcpNackResponder());
  const track = peer.addTrack(video);
  track.setMediaHandler(packetizer);
  const opened = new Promise<void>((resolve) => track.onOpen(resolve));
  await connect(peer);
  await opened;
  for (let i = 0;; i++) {
    config.timestamp += TICKS;
    track.sendMessageBinary(Buffer.from(pictures[i % pictures.length]!));
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

if (what === "watch") await watch();
else if (what === "publish") await publish();
// Its threads would keep the process.
Deno.exit(0);
