/** Frames, peers and backends for the tests of encrypted RTP. */
import { type Accel, openAccel } from "../../runtime/mod.ts";
import { makeRtpPacket } from "../packet.ts";
import { type SrtpProfile, srtpProfiles } from "./profile.ts";
import { SrtpReceiver } from "./receiver.ts";
import { type SrtpRewrite, SrtpSender } from "./sender.ts";

/** Opened once: where native code cannot be called, the runtime is tested twice. */
const accel = openAccel("auto");

/** Both ways to compute. */
export const backends: readonly { name: string; accel: Accel | undefined }[] = [
  { name: "native", accel },
  { name: "runtime", accel: undefined },
];

export const profileNames = Object.keys(srtpProfiles) as SrtpProfile[];

/** A master key and salt of a profile's sizes. */
export function masterOf(profile: SrtpProfile): { key: Uint8Array; salt: Uint8Array } {
  const { keyBytes, saltBytes } = srtpProfiles[profile];
  return {
    key: Uint8Array.from({ length: keyBytes }, (_, i) => 0x10 + i * 3),
    salt: Uint8Array.from({ length: saltBytes }, (_, i) => 0xa0 + i * 5),
  };
}

export function senderOf(profile: SrtpProfile, accel: Accel | undefined): SrtpSender {
  const { key, salt } = masterOf(profile);
  return new SrtpSender(profile, key, salt, { accel });
}

export function receiverOf(profile: SrtpProfile, accel: Accel | undefined): SrtpReceiver {
  const { key, salt } = masterOf(profile);
  return new SrtpReceiver(profile, key, salt, { accel });
}

/** A frame as a rendition makes it: packets of one timestamp, the marker on the last. */
export interface TestFrame {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

/** A frame of packets with these payload sizes; its bytes tell it from others by `seed`. */
export function frameOf(payloadSizes: readonly number[], seed = 1): TestFrame {
  const offsets: number[] = [];
  const packets: number[] = [];
  payloadSizes.forEach((size, i) => {
    const payload = Uint8Array.from({ length: size }, (_, k) => seed * 41 + i * 17 + k * 7);
    const marker = i === payloadSizes.length - 1;
    offsets.push(packets.length);
    packets.push(...makeRtpPacket({ marker, payloadType: 96, sequence: i, timestamp: 9000 * seed, ssrc: 1 }, payload));
  });
  return { bytes: Uint8Array.from(packets), offsets };
}

/** How the tests' peer wants packets. */
export function rewriteOf(index: number): SrtpRewrite {
  return { index, payloadType: 102, ssrc: 0xfedcba98, timestampDelta: 500 };
}

/** Encrypts a frame and answers a copy of each packet. */
export function protect(sender: SrtpSender, { bytes, offsets }: TestFrame, rewrite: SrtpRewrite): Uint8Array[] {
  const out = new Uint8Array(bytes.length + offsets.length * (sender.overhead + 2));
  const outOffsets: number[] = [];
  const size = sender.protectFrame(bytes, offsets, rewrite, out, outOffsets);
  return outOffsets.map((offset, i) => out.slice(offset, outOffsets[i + 1] ?? size));
}

/** What a frame's packets must be once decrypted. */
export function expectedOf({ bytes, offsets }: TestFrame, rewrite: SrtpRewrite): Uint8Array[] {
  return offsets.map((offset, i) => {
    const packet = bytes.slice(offset, offsets[i + 1]);
    const view = new DataView(packet.buffer);
    view.setUint8(1, packet[1]! & 0x80 | rewrite.payloadType);
    view.setUint16(2, rewrite.index + i);
    view.setUint32(4, view.getUint32(4) + rewrite.timestampDelta);
    view.setUint32(8, rewrite.ssrc);
    return packet;
  });
}
