import { jpegHeaders, type JpegPicture, jpegSizeOfRtp, parseJpeg } from "../../codecs/jpeg.ts";
import { jpegQuantTables } from "../../codecs/jpeg_tables.ts";
import { withStandardHuffman } from "../../codecs/jpeg_huffman.ts";
import { readU16, rtpPayloadEnd, rtpPayloadStart, writeU16 } from "../packet.ts";
import { concat, type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";

const MAIN_BYTES = 8;
const RESTART_BYTES = 4;
const TABLE_HEADER_BYTES = 4;
const TABLES_IN_BAND = 255;

/**
 * JPEG (RFC 2435), types 0 and 1 with and without restart intervals, tables by quality or in band. Written with tables in
 * band; pictures that are no baseline JPEG of 4:2:0 or 4:2:2 cannot be. A unit is a whole JPEG.
 */
export const jpegPayload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: () => new JpegDepacketizer(),
  packetize: (units, _codec, maxPayload) =>
    partsOfFrame(units.flatMap((unit) => {
      const picture = parseJpeg(unit) ?? parseRecoded(unit);
      return picture ? packetizePicture(picture, maxPayload) : [];
    })),
};

function parseRecoded(jpeg: Uint8Array): JpegPicture | undefined {
  const recoded = withStandardHuffman(jpeg);
  return recoded && parseJpeg(recoded);
}

function packetizePicture(picture: JpegPicture, maxPayload: number): Uint8Array[] {
  const { type, width, height, quantTables, restartInterval, scan } = picture;
  const hasRestarts = restartInterval > 0;
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < scan.length;) {
    const isFirst = at === 0;
    const headerBytes = MAIN_BYTES + (hasRestarts ? RESTART_BYTES : 0) +
      (isFirst ? TABLE_HEADER_BYTES + quantTables.length : 0);
    const end = Math.min(scan.length, at + Math.max(1, maxPayload - headerBytes));
    const payload = new Uint8Array(headerBytes + end - at);
    payload[1] = at >> 16;
    writeU16(payload, 2, at);
    payload[4] = type + (hasRestarts ? 64 : 0);
    payload[5] = TABLES_IN_BAND;
    // Above 2040 only the low bits fit: what cameras of that size send too.
    payload[6] = width + 7 >> 3;
    payload[7] = height + 7 >> 3;
    let next = MAIN_BYTES;
    if (hasRestarts) {
      writeU16(payload, next, restartInterval);
      // Cut anywhere: the picture is to be decoded when it is whole.
      writeU16(payload, next + 2, 0xffff);
      next += RESTART_BYTES;
    }
    if (isFirst) {
      writeU16(payload, next + 2, quantTables.length);
      payload.set(quantTables, next + TABLE_HEADER_BYTES);
    }
    payload.set(scan.subarray(at, end), headerBytes);
    payloads.push(payload);
    at = end;
  }
  return payloads;
}

/** The headers of one packet. */
interface JpegHeader {
  readonly offset: number;
  readonly type: number;
  readonly quality: number;
  readonly width: number;
  readonly height: number;
  readonly restartInterval: number;
  /** Quantizers, when they are inside. */
  readonly tables: Uint8Array | undefined;
  readonly dataStart: number;
}

class JpegDepacketizer implements Depacketizer {
  // Tables of qualities 128 to 254 are sent once and hold until they are sent again (RFC 2435 §4.2).
  readonly #tables = new Map<number, Uint8Array>();

  look(packet: Uint8Array, start: number, end: number): number {
    if (end - start < MAIN_BYTES) return 0;
    const isFirst = packet[start + 1] === 0 && packet[start + 2] === 0 && packet[start + 3] === 0;
    return Look.CONTENT | Look.KEY | (isFirst ? Look.START : 0);
  }

  learn(packets: readonly Uint8Array[]): void {
    const packet = packets[0]!;
    const header = readHeader(packet, rtpPayloadStart(packet), rtpPayloadEnd(packet));
    if (header?.tables && header.quality >= 128 && header.quality < TABLES_IN_BAND) {
      this.#tables.set(header.quality, header.tables.slice());
    }
  }

  depacketize(packets: readonly Uint8Array[]): Uint8Array[] {
    let first: JpegHeader | undefined;
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      const end = rtpPayloadEnd(packet);
      const header = readHeader(packet, start, end);
      if (!header) continue;
      if (header.offset !== size) return [];
      first ??= header;
      parts.push(packet.subarray(header.dataStart, end));
      size += end - header.dataStart;
    }
    if (!first || size < 2) return [];
    const quantTables = this.#tablesOf(first);
    if (!quantTables) return [];
    const { width, height } = jpegSizeOfRtp(first.width, first.height);
    const { type, restartInterval } = first;
    const headers = jpegHeaders({ type, width, height, quantTables, restartInterval });
    const last = parts.at(-1)!;
    const hasEnd = last.length >= 2 && last.at(-2) === 0xff && last.at(-1) === 0xd9;
    return [concat([headers, ...parts, ...(hasEnd ? [] : [Uint8Array.of(0xff, 0xd9)])])];
  }

  #tablesOf({ quality, tables }: JpegHeader): Uint8Array | undefined {
    if (quality >= 128) return tables ?? this.#tables.get(quality);
    return quality >= 1 && quality <= 99 ? jpegQuantTables(quality) : undefined;
  }
}

function readHeader(packet: Uint8Array, start: number, end: number): JpegHeader | undefined {
  if (start < 0 || end - start < MAIN_BYTES) return undefined;
  const offset = packet[start + 1]! << 16 | readU16(packet, start + 2);
  const type = packet[start + 4]!;
  const quality = packet[start + 5]!;
  if (type > 127 || (type & 63) > 1) return undefined;
  let at = start + MAIN_BYTES;
  let restartInterval = 0;
  if (type >= 64) {
    if (at + RESTART_BYTES > end) return undefined;
    restartInterval = readU16(packet, at);
    at += RESTART_BYTES;
  }
  let tables: Uint8Array | undefined;
  if (quality >= 128 && offset === 0) {
    if (at + TABLE_HEADER_BYTES > end) return undefined;
    const precision = packet[at + 1]!;
    const length = readU16(packet, at + 2);
    at += TABLE_HEADER_BYTES;
    if (at + length > end) return undefined;
    tables = readTables(packet.subarray(at, at + length), precision);
    at += length;
  }
  return {
    offset,
    type,
    quality,
    width: packet[start + 6]! * 8,
    height: packet[start + 7]! * 8,
    restartInterval,
    tables,
    dataStart: at,
  };
}

/** One or two tables of 64 quantizers; those of 16 bits, which baseline does not have, are cut to 8. */
function readTables(bytes: Uint8Array, precision: number): Uint8Array | undefined {
  const tables: number[] = [];
  let at = 0;
  for (let table = 0; table < 2; table++) {
    const size = precision >> table & 1 ? 2 : 1;
    if (at + 64 * size > bytes.length) break;
    for (let i = 0; i < 64; i++, at += size) {
      tables.push(size === 1 ? bytes[at]! : Math.min(255, readU16(bytes, at)));
    }
  }
  return tables.length > 0 ? Uint8Array.from(tables) : undefined;
}
