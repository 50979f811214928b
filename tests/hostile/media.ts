/** Pictures that a hostile or broken camera sends: H264 packets, and the messages around them. */
import { Buffer } from "node:buffer";
import { makeRtpPacket } from "../../core/mod.ts";
import { hex } from "../../core/codecs/testing.ts";
import { h264, nal } from "../../core/rtp/testing.ts";
import { RawClient, statusOf } from "../support/raw.ts";

const PAYLOAD_TYPE = 96;

/** Parameter sets of one size of picture. */
export interface Sets {
  readonly sps: Uint8Array;
  readonly pps: Uint8Array;
}

const pps = h264.pps;
/** 320 by 180, Main, and 1920 by 1080, Baseline; both without pictures that wait for others. */
export const SMALL: Sets = { sps: hex("674d400cd901419f9f011000000300100000030320f142a480"), pps };
export const LARGE: Sets = { sps: hex("6742c028da01e0089f97011000000300100000030328f1832a"), pps };

/** A description of one H264 track. */
export function h264Sdp({ sps, pps }: Sets = SMALL): string {
  const sets = `${sps.toBase64()},${pps.toBase64()}`;
  return [
    ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=Camera", "t=0 0", `m=video 0 RTP/AVP ${PAYLOAD_TYPE}`],
    ...[
      `a=rtpmap:${PAYLOAD_TYPE} H264/90000`,
      `a=fmtp:${PAYLOAD_TYPE} packetization-mode=1;sprop-parameter-sets=${sets}`,
    ],
    ...["a=control:track1", ""],
  ].join("\r\n");
}

/** Makes the packets of a moving picture, 25 frames a second. */
export class Picture {
  sequence = 100;
  timestamp = 1000;
  readonly #packetBytes: number;

  constructor(packetBytes = 1200) {
    this.#packetBytes = packetBytes;
  }

  /** The packets of the next frame; a keyframe has its parameter sets in front. */
  frame(kind: "key" | "delta", bytes = 100, sets: Sets = SMALL): Uint8Array[] {
    const units = kind === "key" ? [sets.sps, sets.pps, nal([0x65, 0x88], bytes)] : [nal([0x41, 0x9a], bytes)];
    const payloads = units.flatMap((unit) => this.#split(unit));
    const packets = payloads.map((payload, i) => this.#packet(payload, i === payloads.length - 1));
    this.timestamp = (this.timestamp + 3600) >>> 0;
    return packets;
  }

  #packet(payload: Uint8Array, marker: boolean): Uint8Array {
    const { timestamp } = this;
    const header = { marker, payloadType: PAYLOAD_TYPE, sequence: this.sequence, timestamp, ssrc: 0x77 };
    this.sequence = (this.sequence + 1) & 0xffff;
    return makeRtpPacket(header, payload);
  }

  // Large units go as FU-A (RFC 6184 §5.8).
  #split(unit: Uint8Array): Uint8Array[] {
    if (unit.length <= this.#packetBytes) return [unit];
    const type = unit[0]! & 31;
    const indicator = (unit[0]! & 0xe0) | 28;
    const parts: Uint8Array[] = [];
    for (let at = 1; at < unit.length; at += this.#packetBytes) {
      const piece = unit.subarray(at, at + this.#packetBytes);
      const flags = (at === 1 ? 0x80 : 0) | (at + this.#packetBytes >= unit.length ? 0x40 : 0);
      parts.push(Uint8Array.of(indicator, flags | type, ...piece));
    }
    return parts;
  }
}

/** Packets as they go over RTSP's own connection (RFC 2326 §10.12). */
export function interleaved(packets: readonly Uint8Array[], channel = 0): Uint8Array {
  const all = new Uint8Array(packets.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const packet of packets) {
    all.set([0x24, channel, packet.length >> 8, packet.length & 255], at);
    all.set(packet, at + 4);
    at += 4 + packet.length;
  }
  return all;
}

/** The text of an RTSP request. */
export function rtspRequest(
  method: string,
  url: string,
  sequence: number,
  headers: readonly string[] = [],
  body = "",
): string {
  const length = body === "" ? [] : [`Content-Length: ${new TextEncoder().encode(body).length}`];
  return [`${method} ${url} RTSP/1.0`, `CSeq: ${sequence}`, ...headers, ...length, "", body].join("\r\n");
}

/** Asks one thing on an RTSP connection; answers the status, 0 when the server closed instead. */
export async function ask(client: RawClient, text: string): Promise<number> {
  client.text = "";
  await client.write(text);
  return statusOf(await client.until(/\r\n\r\n/));
}

const RECORD = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";

/** Publishes to a stream as far as RECORD; throws when that is refused. */
export async function publishTo(rtsp: string, stream: string, sdp = h264Sdp()): Promise<RawClient> {
  const client = await RawClient.connect(rtsp);
  const url = `rtsp://${rtsp}/${stream}`;
  const statuses = [
    await ask(client, rtspRequest("ANNOUNCE", url, 1, ["Content-Type: application/sdp"], sdp)),
    await ask(client, rtspRequest("SETUP", `${url}/track1`, 2, [RECORD])),
    await ask(client, rtspRequest("RECORD", url, 3)),
  ];
  if (statuses.some((status) => status !== 200)) throw new Error(`Publishing was refused: ${statuses}`);
  return client;
}

/** What a player was sent behind the answer to PLAY: the packets of its first channel. */
export function packetsOf({ text }: RawClient): { sequence: number; timestamp: number; marker: boolean }[] {
  const bytes = Buffer.from(text, "latin1");
  const packets: { sequence: number; timestamp: number; marker: boolean }[] = [];
  let at = text.indexOf("\r\n\r\n") + 4;
  while (at + 16 <= bytes.length) {
    const packet = bytes.subarray(at + 4);
    if (bytes[at + 1] === 0) {
      const marker = (packet[1]! & 0x80) !== 0;
      packets.push({ marker, sequence: packet.readUInt16BE(2), timestamp: packet.readUInt32BE(4) });
    }
    at += 4 + bytes.readUInt16BE(at + 2);
  }
  return packets;
}

/** Plays a stream over TCP; what comes is the caller's to read. */
export async function play(rtsp: string, stream: string): Promise<RawClient> {
  const client = await RawClient.connect(rtsp);
  const url = `rtsp://${rtsp}/${stream}`;
  const statuses = [
    await ask(client, rtspRequest("DESCRIBE", url, 1)),
    await ask(client, rtspRequest("SETUP", `${url}/trackID=0`, 2, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])),
    await ask(client, rtspRequest("PLAY", url, 3)),
  ];
  if (statuses.some((status) => status !== 200)) throw new Error(`Playing was refused: ${statuses}`);
  return client;
}
