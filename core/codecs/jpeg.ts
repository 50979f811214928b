import { STANDARD_HUFFMAN_TABLES } from "./jpeg_tables.ts";

/** What RTP carries of a JPEG (RFC 2435 §3.1). */
export interface JpegPicture {
  /** 0 for 4:2:2, 1 for 4:2:0. Over RTP, 64 is added when there is a restart interval. */
  readonly type: 0 | 1;
  /** Pixels. Over RTP both go in steps of 8, rounded up, and nothing above 2040 can be said. */
  readonly width: number;
  readonly height: number;
  /** 64 quantizers for luma, then 64 for chroma, 8 bits each, in zigzag order. */
  readonly quantTables: Uint8Array;
  /** MCUs between restart markers; 0 without. */
  readonly restartInterval: number;
  /** The coded picture, from behind SOS up to EOI, as a view. */
  readonly scan: Uint8Array;
}

/** The kinds of JPEG markers that matter here (ITU-T T.81 table B.1). */
export const JpegMarker = {
  SOF0: 0xc0,
  DHT: 0xc4,
  SOI: 0xd8,
  EOI: 0xd9,
  SOS: 0xda,
  DQT: 0xdb,
  DRI: 0xdd,
  APP0: 0xe0,
  APP14: 0xee,
} as const;

/** One marker segment: its body is without marker and length. */
export interface JpegSegment {
  readonly marker: number;
  /** Where its `FF` is. */
  readonly start: number;
  readonly body: Uint8Array;
  readonly end: number;
}

/**
 * The segments of a JPEG up to SOS, which is the last; `undefined` when it does not begin as a JPEG or ends before SOS.
 */
export function jpegSegments(bytes: Uint8Array): JpegSegment[] | undefined {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== JpegMarker.SOI) return undefined;
  const segments: JpegSegment[] = [];
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    // A marker may stand behind any number of fill bytes.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = bytes[at + 2]! << 8 | bytes[at + 3]!;
    const end = at + 2 + length;
    if (marker < JpegMarker.SOF0 || length < 2 || end > bytes.length) return undefined;
    segments.push({ marker, start: at, body: bytes.subarray(at + 4, end), end });
    if (marker === JpegMarker.SOS) return segments;
    at = end;
  }
  return undefined;
}

/** One component of a picture, as its frame and scan headers have it. */
export interface JpegComponent {
  readonly id: number;
  readonly across: number;
  readonly down: number;
  readonly quantTable: number;
}

/** What the frame header of a JPEG tells. */
export interface JpegFrame {
  /** 0xC0 baseline, 0xC1 extended, 0xC2 progressive, and so on. */
  readonly marker: number;
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

const NOT_FRAME_HEADERS = new Set([0xc4, 0xc8, 0xcc]);

/** The frame header among the segments of a JPEG. */
export function jpegFrame(segments: readonly JpegSegment[]): JpegFrame | undefined {
  const segment = segments.find(({ marker }) => marker >= 0xc0 && marker < 0xd0 && !NOT_FRAME_HEADERS.has(marker));
  if (!segment || segment.body.length < 6) return undefined;
  const { body, marker } = segment;
  const count = body[5]!;
  if (body.length < 6 + 3 * count) return undefined;
  const components: JpegComponent[] = [];
  for (let at = 6; at < 6 + 3 * count; at += 3) {
    components.push({ id: body[at]!, across: body[at + 1]! >> 4, down: body[at + 1]! & 15, quantTable: body[at + 2]! });
  }
  const height = body[1]! << 8 | body[2]!;
  const width = body[3]! << 8 | body[4]!;
  return { marker, precision: body[0]!, width, height, components };
}

/** The picture size of a JPEG of any kind; `undefined` when it cannot be read. */
export function jpegSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  const frame = jpegFrame(jpegSegments(bytes) ?? []);
  return frame && frame.width > 0 && frame.height > 0 ? { width: frame.width, height: frame.height } : undefined;
}

/**
 * Reads a JPEG into the fields that RTP carries; `undefined` for what RTP cannot carry: other than baseline 4:2:0 or
 * 4:2:2 in one scan, or own Huffman tables (see `withStandardHuffman`).
 */
export function parseJpeg(bytes: Uint8Array): JpegPicture | undefined {
  const segments = jpegSegments(bytes);
  const frame = segments && jpegFrame(segments);
  if (!frame || frame.marker !== JpegMarker.SOF0 || frame.precision !== 8) return undefined;
  const { width, height, components } = frame;
  const type = typeOf(components);
  if (type === undefined || width === 0 || height === 0) return undefined;
  const quantTables = readQuantTables(segments, components);
  if (!quantTables || !hasStandardHuffman(segments)) return undefined;
  const sos = segments.at(-1)!;
  if (!isWholeScan(sos.body, components)) return undefined;
  const scan = bytes.subarray(sos.end, jpegScanEnd(bytes, sos.end));
  return { type, width, height, quantTables, restartInterval: jpegRestartInterval(segments), scan };
}

function typeOf(components: readonly JpegComponent[]): 0 | 1 | undefined {
  const [luma, ...chroma] = components;
  if (!luma || chroma.length !== 2 || luma.across !== 2) return undefined;
  if (chroma.some(({ across, down }) => across !== 1 || down !== 1)) return undefined;
  return luma.down === 1 ? 0 : luma.down === 2 ? 1 : undefined;
}

function readQuantTables(
  segments: readonly JpegSegment[],
  components: readonly JpegComponent[],
): Uint8Array | undefined {
  const found: (Uint8Array | undefined)[] = [];
  for (const { marker, body } of segments) {
    if (marker !== JpegMarker.DQT) continue;
    for (let at = 0; at + 65 <= body.length; at += 65) {
      // Baseline has no 16-bit quantizers.
      if (body[at]! > 15) return undefined;
      found[body[at]!] = body.subarray(at + 1, at + 65);
    }
  }
  const [luma, blue, red] = components.map(({ quantTable }) => found[quantTable]);
  if (!luma || !blue || !red || !isSame(blue, red)) return undefined;
  const tables = new Uint8Array(128);
  tables.set(luma);
  tables.set(blue, 64);
  return tables;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Whether the pictures' Huffman tables are the usual ones, which is also so when it brings none. */
export function hasStandardHuffman(segments: readonly JpegSegment[]): boolean {
  for (const { marker, body } of segments) {
    if (marker !== JpegMarker.DHT) continue;
    for (let at = 0; at + 17 <= body.length;) {
      let length = 17;
      for (let i = 1; i < 17; i++) length += body[at + i]!;
      if (!standardTables().some((table) => isSame(table, body.subarray(at, at + length)))) return false;
      at += length;
    }
  }
  return true;
}

let standards: readonly Uint8Array[] | undefined;

function standardTables(): readonly Uint8Array[] {
  return standards ??= [[0, 29], [29, 58], [58, 237], [237, 416]].map(([start, end]) =>
    STANDARD_HUFFMAN_TABLES.subarray(start, end)
  );
}

// RTP wants luma coded with tables 0 and chroma with tables 1, all three in one scan.
function isWholeScan(body: Uint8Array, components: readonly JpegComponent[]): boolean {
  return body.length >= 10 && body[0] === 3 &&
    components.every(({ id }, i) => body[1 + 2 * i] === id && body[2 + 2 * i] === (i === 0 ? 0 : 0x11));
}

/** MCUs between the restart markers; 0 without. */
export function jpegRestartInterval(segments: readonly JpegSegment[]): number {
  const dri = segments.findLast(({ marker, body }) => marker === JpegMarker.DRI && body.length >= 2);
  return dri ? dri.body[0]! << 8 | dri.body[1]! : 0;
}

/** Where the coded picture ends that begins at `from`: at the first marker other than a restart, or with the bytes. */
export function jpegScanEnd(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(0xff, from);
  while (at >= 0 && at + 1 < bytes.length) {
    const next = bytes[at + 1]!;
    if (next === 0xff) {
      at++;
    } else if (next === 0 || next >= 0xd0 && next <= 0xd7) {
      at = bytes.indexOf(0xff, at + 2);
    } else {
      return at;
    }
  }
  return bytes.length;
}

/**
 * What comes before the scan when a JPEG is made of what RTP carried (RFC 2435 §B): SOI, JFIF, quantizers, sizes,
 * Huffman tables, SOS. `quantTables` holds one table of 64 quantizers or two; EOI is to be put behind the scan.
 */
export function jpegHeaders(
  { type, width, height, quantTables, restartInterval }: Omit<JpegPicture, "scan" | "type"> & { readonly type: number },
): Uint8Array {
  if (quantTables.length !== 64 && quantTables.length !== 128) {
    throw new RangeError(`JPEG quantizers come in 64 or 128 bytes, not ${quantTables.length}`);
  }
  const luma = quantTables.subarray(0, 64);
  const chroma = quantTables.subarray(quantTables.length - 64);
  const sampling = (type & 63) === 0 ? 0x21 : 0x22;
  return Uint8Array.from([
    ...[0xff, JpegMarker.SOI],
    ...segment(JpegMarker.APP0, [...JFIF, 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    ...segment(JpegMarker.DQT, [0, ...luma, 1, ...chroma]),
    ...(restartInterval > 0 ? segment(JpegMarker.DRI, [restartInterval >> 8, restartInterval & 255]) : []),
    ...segment(JpegMarker.SOF0, [
      ...[8, height >> 8, height & 255, width >> 8, width & 255, 3],
      ...[1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1],
    ]),
    ...segment(JpegMarker.DHT, STANDARD_HUFFMAN_TABLES),
    ...segment(JpegMarker.SOS, [3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]),
  ]);
}

const JFIF = [0x4a, 0x46, 0x49, 0x46, 0];

function segment(marker: number, body: ArrayLike<number>): number[] {
  const length = body.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...Array.from(body)];
}

// Sizes of which the 8 bits of RTP lose the top, with what is left.
const CUT_SIZES: readonly (readonly [number, number, number, number])[] = [
  [512, 1920, 2560, 1920],
  [512, 1440, 2560, 1440],
  [1792, 112, 3840, 2160],
  [256, 1296, 2304, 1296],
];

/** The size that a camera means by the width and height of an RTP header, in pixels, when it had to cut them. */
export function jpegSizeOfRtp(width: number, height: number): { width: number; height: number } {
  const cut = CUT_SIZES.find(([cutWidth, cutHeight]) => cutWidth === width && cutHeight === height);
  return cut ? { width: cut[2], height: cut[3] } : { width, height };
}

/**
 * Repairs the headers of a JPEG so that every program knows and decodes it: one without Huffman tables (`AVI1` and other
 * motion JPEG) gets the usual ones, and one that begins with another application's header gets a JFIF header in front.
 * Bytes that need no repair, or are no JPEG, are given back as they are.
 */
export function fixJpeg(bytes: Uint8Array): Uint8Array {
  const segments = jpegSegments(bytes);
  const frame = segments && jpegFrame(segments);
  const sos = segments?.at(-1);
  if (!frame || !sos) return bytes;
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  const needsJfif = lacksKnownHeader(segments, frame);
  if (needsJfif) parts.push(Uint8Array.from(segment(JpegMarker.APP0, [...JFIF, 1, 1, 0, 0, 1, 0, 1, 0, 0])));
  const needsTables = frame.marker <= 0xc1 && !segments.some(({ marker }) => marker === JpegMarker.DHT);
  parts.push(bytes.subarray(2, sos.start));
  if (needsTables) parts.push(Uint8Array.from(segment(JpegMarker.DHT, STANDARD_HUFFMAN_TABLES)));
  parts.push(bytes.subarray(sos.start));
  return needsJfif || needsTables ? concat(parts) : bytes;
}

// JFIF says how colours are coded, which an Adobe header may contradict.
function lacksKnownHeader(segments: readonly JpegSegment[], frame: JpegFrame): boolean {
  const first = segments[0]!;
  if (first.marker < JpegMarker.APP0 || first.marker > 0xef) return false;
  const name = String.fromCharCode(...first.body.subarray(0, 4));
  if (name === "JFIF" || name === "Exif" || name === "AVI1") return false;
  const isPlain = frame.components.length === 1 || frame.components.length === 3;
  return isPlain && !segments.some(({ marker }) => marker === JpegMarker.APP14);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
