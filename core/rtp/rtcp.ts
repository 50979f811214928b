import { readU16, readU32, writeU16, writeU32 } from "./packet.ts";

/** What a receiver tells of one source (RFC 3550 §6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** Of the packets expected since the last report, in 1/256. */
  readonly fractionLost: number;
  /** Since the beginning; duplicates make it smaller. */
  readonly lost: number;
  /** Highest sequence number, with the count of its wraps above 16 bits. */
  readonly highestSequence: number;
  /** In ticks of the source's clock. */
  readonly jitter: number;
  /** The middle 32 bits of the newest sender report's NTP time; 0: none came. */
  readonly lastReport: number;
  /** Time since that report, in 1/65536 s. */
  readonly delay: number;
}

/** One packet of a compound. */
export type RtcpPacket =
  | {
    readonly type: "SR";
    readonly ssrc: number;
    /** Milliseconds since 1970; `undefined` when the sender has no wall clock (NTP time 0). */
    readonly wallMs: number | undefined;
    /** The middle 32 bits of the NTP time: what `ReportBlock.lastReport` repeats. */
    readonly ntpMiddle: number;
    readonly rtpTimestamp: number;
    readonly packets: number;
    readonly bytes: number;
    readonly reports: readonly ReportBlock[];
  }
  | { readonly type: "RR"; readonly ssrc: number; readonly reports: readonly ReportBlock[] }
  | { readonly type: "SDES"; readonly names: readonly { readonly ssrc: number; readonly cname: string }[] }
  | { readonly type: "BYE"; readonly ssrcs: readonly number[] }
  | { readonly type: "NACK"; readonly ssrc: number; readonly about: number; readonly sequences: readonly number[] }
  | { readonly type: "PLI"; readonly ssrc: number; readonly about: number }
  | { readonly type: "FIR"; readonly ssrc: number; readonly about: readonly number[] };

const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;
const NTP_EPOCH_MS = 2_208_988_800_000;
const BLOCK_BYTES = 24;

/** The packets of an RTCP compound (RFC 3550 §6, RFC 4585, RFC 5104); what is unknown or cut short is skipped. */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] {
  const packets: RtcpPacket[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && bytes[at]! >> 6 === 2) {
    const end = at + 4 + readU16(bytes, at + 2) * 4;
    if (end > bytes.length) break;
    const padding = (bytes[at]! & 0x20) !== 0 ? bytes[end - 1]! : 0;
    const bodyEnd = padding <= end - at - 4 ? end - padding : end;
    const packet = parseOne(bytes[at + 1]!, bytes[at]! & 31, bytes.subarray(at + 4, bodyEnd));
    if (packet) packets.push(packet);
    at = end;
  }
  return packets;
}

/** Whether a packet on a port shared by both is RTCP (RFC 5761 §4). */
export function isRtcp(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0]! >> 6 === 2 && bytes[1]! >= 192 && bytes[1]! <= 223;
}

function parseOne(type: number, count: number, body: Uint8Array): RtcpPacket | undefined {
  if (body.length < 4) return undefined;
  const ssrc = readU32(body, 0);
  switch (type) {
    case SR:
      return body.length < 24 ? undefined : parseSenderReport(ssrc, count, body);
    case RR:
      return { type: "RR", ssrc, reports: parseReports(body, 4, count) };
    case SDES:
      return { type: "SDES", names: parseNames(body, count) };
    case BYE: {
      const ssrcs: number[] = [];
      for (let at = 0; at + 4 <= body.length && ssrcs.length < count; at += 4) ssrcs.push(readU32(body, at));
      return { type: "BYE", ssrcs };
    }
    case TRANSPORT_FEEDBACK:
      return count === 1 && body.length >= 8
        ? { type: "NACK", ssrc, about: readU32(body, 4), sequences: parseNack(body) }
        : undefined;
    case PAYLOAD_FEEDBACK:
      if (body.length < 8) return undefined;
      if (count === 1) return { type: "PLI", ssrc, about: readU32(body, 4) };
      return count === 4 ? { type: "FIR", ssrc, about: parseFir(body) } : undefined;
    default:
      return undefined;
  }
}

function parseSenderReport(ssrc: number, count: number, body: Uint8Array): RtcpPacket {
  const seconds = readU32(body, 4);
  const fraction = readU32(body, 8);
  // Seconds below half of the range are of the next NTP era, from 2036 on (RFC 4330 §3).
  const era = seconds !== 0 && seconds < 0x80000000 ? 0x100000000 * 1000 : 0;
  return {
    type: "SR",
    ssrc,
    wallMs: seconds === 0 ? undefined : seconds * 1000 + fraction * 1000 / 0x100000000 + era - NTP_EPOCH_MS,
    ntpMiddle: readU32(body, 6),
    rtpTimestamp: readU32(body, 12),
    packets: readU32(body, 16),
    bytes: readU32(body, 20),
    reports: parseReports(body, 24, count),
  };
}

function parseReports(body: Uint8Array, offset: number, count: number): ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let at = offset; at + BLOCK_BYTES <= body.length && reports.length < count; at += BLOCK_BYTES) {
    reports.push({
      ssrc: readU32(body, at),
      fractionLost: body[at + 4]!,
      lost: readU32(body, at + 4) << 8 >> 8,
      highestSequence: readU32(body, at + 8),
      jitter: readU32(body, at + 12),
      lastReport: readU32(body, at + 16),
      delay: readU32(body, at + 20),
    });
  }
  return reports;
}

function parseNames(body: Uint8Array, count: number): { ssrc: number; cname: string }[] {
  const names: { ssrc: number; cname: string }[] = [];
  let at = 0;
  while (at + 4 <= body.length && names.length < count) {
    const ssrc = readU32(body, at);
    let cname = "";
    at += 4;
    while (at + 2 <= body.length && body[at] !== 0) {
      const end = at + 2 + body[at + 1]!;
      if (end > body.length) break;
      if (body[at] === 1) cname = new TextDecoder().decode(body.subarray(at + 2, end));
      at = end;
    }
    names.push({ ssrc, cname });
    at = (at + 4) & ~3;
  }
  return names;
}

function parseNack(body: Uint8Array): number[] {
  const sequences: number[] = [];
  for (let at = 8; at + 4 <= body.length; at += 4) {
    const first = readU16(body, at);
    const mask = readU16(body, at + 2);
    sequences.push(first);
    for (let bit = 0; bit < 16; bit++) if (mask >> bit & 1) sequences.push((first + bit + 1) & 0xffff);
  }
  return sequences;
}

function parseFir(body: Uint8Array): number[] {
  const about: number[] = [];
  for (let at = 8; at + 8 <= body.length; at += 8) about.push(readU32(body, at));
  return about;
}

function start(type: number, count: number, bytes: number): Uint8Array {
  const packet = new Uint8Array(bytes);
  packet[0] = 0x80 | count;
  packet[1] = type;
  writeU16(packet, 2, bytes / 4 - 1);
  return packet;
}

function description(ssrc: number, cname: string): Uint8Array {
  const name = new TextEncoder().encode(cname).subarray(0, 255);
  // At least one zero ends the list of items; the chunk ends at a multiple of four.
  const packet = start(SDES, 1, (4 + 4 + 2 + name.length + 1 + 3) & ~3);
  writeU32(packet, 4, ssrc);
  packet[8] = 1;
  packet[9] = name.length;
  packet.set(name, 10);
  return packet;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a, 0);
  both.set(b, a.length);
  return both;
}

/** What a sender report says. */
export interface SenderReport {
  readonly ssrc: number;
  /** Milliseconds since 1970 that `rtpTimestamp` stands for. */
  readonly wallMs: number;
  /** Wrapped to 32 bits when written. */
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly bytes: number;
  readonly cname: string;
}

/** Writes milliseconds since 1970 as the 8 bytes of an NTP time: seconds since 1900, and 2^-32 of a second. */
export function writeNtpTime(into: Uint8Array, offset: number, wallMs: number): void {
  const ntpMs = wallMs + NTP_EPOCH_MS;
  const seconds = Math.floor(ntpMs / 1000);
  writeU32(into, offset, seconds);
  writeU32(into, offset + 4, Math.floor((ntpMs - seconds * 1000) / 1000 * 0x100000000));
}

/** A compound of sender report and source description (RFC 3550 §6.4.1, §6.5). */
export function writeSenderReport(report: SenderReport): Uint8Array {
  const packet = start(SR, 0, 28);
  writeU32(packet, 4, report.ssrc);
  writeNtpTime(packet, 8, report.wallMs);
  writeU32(packet, 16, report.rtpTimestamp);
  writeU32(packet, 20, report.packets);
  writeU32(packet, 24, report.bytes);
  return join(packet, description(report.ssrc, report.cname));
}

/** A receiver report about at most 31 sources; with a `cname`, followed by a source description. */
export function writeReceiverReport(
  report: { readonly ssrc: number; readonly about: readonly ReportBlock[]; readonly cname?: string },
): Uint8Array {
  const about = report.about.slice(0, 31);
  const packet = start(RR, about.length, 8 + about.length * BLOCK_BYTES);
  writeU32(packet, 4, report.ssrc);
  about.forEach((block, i) => {
    const at = 8 + i * BLOCK_BYTES;
    writeU32(packet, at, block.ssrc);
    writeU32(packet, at + 4, Math.max(-0x800000, Math.min(0x7fffff, block.lost)) & 0xffffff);
    packet[at + 4] = block.fractionLost;
    writeU32(packet, at + 8, block.highestSequence);
    writeU32(packet, at + 12, block.jitter);
    writeU32(packet, at + 16, block.lastReport);
    writeU32(packet, at + 20, block.delay);
  });
  return report.cname === undefined ? packet : join(packet, description(report.ssrc, report.cname));
}

/** A request to send packets again (RFC 4585 §6.2.1). */
export function writeNack(
  request: { readonly ssrc: number; readonly about: number; readonly sequences: readonly number[] },
): Uint8Array {
  const pairs: { first: number; mask: number }[] = [];
  for (const sequence of request.sequences) {
    const last = pairs.at(-1);
    const distance = last ? (sequence - last.first) & 0xffff : 0;
    if (last && distance >= 1 && distance <= 16) last.mask |= 1 << (distance - 1);
    else if (!last || distance !== 0) pairs.push({ first: sequence, mask: 0 });
  }
  const packet = start(TRANSPORT_FEEDBACK, 1, 12 + pairs.length * 4);
  writeU32(packet, 4, request.ssrc);
  writeU32(packet, 8, request.about);
  pairs.forEach(({ first, mask }, i) => {
    writeU16(packet, 12 + i * 4, first);
    writeU16(packet, 14 + i * 4, mask);
  });
  return packet;
}

/** A request for a keyframe (RFC 4585 §6.3.1). */
export function writePli(request: { readonly ssrc: number; readonly about: number }): Uint8Array {
  const packet = start(PAYLOAD_FEEDBACK, 1, 12);
  writeU32(packet, 4, request.ssrc);
  writeU32(packet, 8, request.about);
  return packet;
}

/** What a receiver can take of some sources together, in bit/s (draft-alvestrand-rmcat-remb-03 §2.2). */
export function writeRemb(
  estimate: { readonly ssrc: number; readonly about: readonly number[]; readonly bitrate: number },
): Uint8Array {
  const about = estimate.about.slice(0, 255);
  const packet = start(PAYLOAD_FEEDBACK, 15, 20 + about.length * 4);
  writeU32(packet, 4, estimate.ssrc);
  // "REMB"
  writeU32(packet, 12, 0x52454d42);
  const bitrate = Math.max(0, Math.min(2 ** 50, Math.floor(estimate.bitrate)));
  // 18 bits of mantissa behind a count of sources and 6 bits of exponent.
  const exponent = Math.max(0, Math.floor(Math.log2(bitrate || 1)) - 17);
  const mantissa = Math.floor(bitrate / 2 ** exponent);
  packet[16] = about.length;
  packet[17] = exponent << 2 | mantissa >> 16;
  writeU16(packet, 18, mantissa & 0xffff);
  about.forEach((ssrc, i) => writeU32(packet, 20 + i * 4, ssrc));
  return packet;
}
