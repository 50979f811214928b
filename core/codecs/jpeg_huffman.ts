import {
  hasStandardHuffman,
  type JpegComponent,
  type JpegFrame,
  jpegFrame,
  JpegMarker,
  jpegRestartInterval,
  type JpegSegment,
  jpegSegments,
} from "./jpeg.ts";
import { STANDARD_HUFFMAN_TABLES } from "./jpeg_tables.ts";

/**
 * A baseline JPEG with the usual Huffman tables, as RTP wants it; the same picture, coefficient for coefficient. The
 * bytes themselves when they have the usual tables already; `undefined` for what is not baseline with three components
 * in one scan, or is broken.
 */
export function withStandardHuffman(bytes: Uint8Array): Uint8Array | undefined {
  const segments = jpegSegments(bytes);
  const frame = segments && jpegFrame(segments);
  if (!frame || frame.marker !== JpegMarker.SOF0 || frame.precision !== 8) return undefined;
  if (hasStandardHuffman(segments) && scanTables(segments, frame)?.every(({ id }, i) => id === (i === 0 ? 0 : 0x11))) {
    return bytes;
  }
  const components = scanComponents(segments, frame);
  if (!components) return undefined;
  const out = new BitSink(bytes.length + (bytes.length >> 1) + 1024);
  out.bytes(bytes.subarray(0, 2));
  for (const { marker, start, end } of segments) {
    if (marker === JpegMarker.DHT || marker === JpegMarker.SOS) continue;
    out.bytes(bytes.subarray(start, end));
  }
  const [luma, blue, red] = frame.components;
  out.bytes(Uint8Array.of(0xff, JpegMarker.DHT, STANDARD_HUFFMAN_TABLES.length + 2 >> 8));
  out.bytes(Uint8Array.of(STANDARD_HUFFMAN_TABLES.length + 2 & 255));
  out.bytes(STANDARD_HUFFMAN_TABLES);
  out.bytes(Uint8Array.of(0xff, JpegMarker.SOS, 0, 12, 3, luma!.id, 0, blue!.id, 0x11, red!.id, 0x11, 0, 63, 0));
  const source = new BitSource(bytes, segments.at(-1)!.end);
  if (!recode(source, out, frame, components, jpegRestartInterval(segments))) return undefined;
  out.bytes(Uint8Array.of(0xff, JpegMarker.EOI));
  return out.done();
}

/** The tables that a scan of all three components names: DC in the high four bits, AC in the low. */
function scanTables(segments: readonly JpegSegment[], frame: JpegFrame): { id: number }[] | undefined {
  const { body } = segments.at(-1)!;
  if (frame.components.length !== 3 || body.length < 10 || body[0] !== 3) return undefined;
  if (!frame.components.every(({ id }, i) => body[1 + 2 * i] === id)) return undefined;
  return frame.components.map((_, i) => ({ id: body[2 + 2 * i]! }));
}

/** How the blocks of one component are read and written. */
interface Recoder {
  readonly blocks: number;
  readonly dc: Decoder;
  readonly ac: Decoder;
  readonly dcCodes: Codes;
  readonly acCodes: Codes;
}

function scanComponents(segments: readonly JpegSegment[], frame: JpegFrame): Recoder[] | undefined {
  const tables = scanTables(segments, frame);
  const decoders = readDecoders(segments);
  if (!tables || !decoders) return undefined;
  const recoders: Recoder[] = [];
  for (const [i, { id }] of tables.entries()) {
    const dc = decoders.get(id >> 4);
    const ac = decoders.get(0x10 | id & 15);
    const { across, down }: JpegComponent = frame.components[i]!;
    if (!dc || !ac || across < 1 || across > 4 || down < 1 || down > 4) return undefined;
    const [dcCodes, acCodes] = standardCodes()[i === 0 ? 0 : 1]!;
    recoders.push({ blocks: across * down, dc, ac, dcCodes, acCodes });
  }
  return recoders;
}

/** Codes of one Huffman table by symbol: length in the high bits, 16 bits of code; 0 for a symbol without a code. */
type Codes = Uint32Array;

const LOOK_BITS = 8;

/** One Huffman table for reading. */
interface Decoder {
  /** For each byte that may come next: the length of the code it begins with and its symbol, or 0 for a longer code. */
  readonly look: Uint16Array;
  /** By length: the codes of that length end below this, and what to add to one for its place in `symbols`. */
  readonly limits: Int32Array;
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
}

// The table whose counts and symbols begin at `at` of a DHT body; `undefined` when it is broken (T.81 §C.2).
function readTable(body: Uint8Array, at: number): { decoder: Decoder; codes: Codes; end: number } | undefined {
  const look = new Uint16Array(1 << LOOK_BITS);
  const limits = new Int32Array(17);
  const offsets = new Int32Array(17);
  const codes = new Uint32Array(256);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= 16; length++) {
    const count = body[at + length - 1]!;
    if (code + count > 1 << length || at + 16 + place + count > body.length) return undefined;
    offsets[length] = place - code;
    for (let i = 0; i < count; i++, code++, place++) {
      const symbol = body[at + 16 + place]!;
      codes[symbol] = length << 16 | code;
      if (length > LOOK_BITS) continue;
      const from = code << LOOK_BITS - length;
      look.fill(length << 8 | symbol, from, from + (1 << LOOK_BITS - length));
    }
    limits[length] = code;
    code <<= 1;
  }
  const symbols = body.subarray(at + 16, at + 16 + place);
  return { decoder: { look, limits, offsets, symbols }, codes, end: at + 16 + place };
}

function readDecoders(segments: readonly JpegSegment[]): Map<number, Decoder> | undefined {
  const decoders = new Map<number, Decoder>();
  for (const { marker, body } of segments) {
    if (marker !== JpegMarker.DHT) continue;
    for (let at = 0; at < body.length;) {
      if (at + 17 > body.length) return undefined;
      const table = readTable(body, at + 1);
      if (!table) return undefined;
      decoders.set(body[at]!, table.decoder);
      at = table.end;
    }
  }
  return decoders;
}

let standards: readonly (readonly [Codes, Codes])[] | undefined;

/** The usual codes: DC and AC of luma, DC and AC of chroma. */
function standardCodes(): readonly (readonly [Codes, Codes])[] {
  if (standards) return standards;
  const all: Codes[] = [];
  for (let at = 0; at < STANDARD_HUFFMAN_TABLES.length;) {
    const table = readTable(STANDARD_HUFFMAN_TABLES, at + 1)!;
    all.push(table.codes);
    at = table.end;
  }
  return standards = [[all[0]!, all[2]!], [all[1]!, all[3]!]];
}

function recode(
  source: BitSource,
  out: BitSink,
  frame: JpegFrame,
  components: readonly Recoder[],
  interval: number,
): boolean {
  const wide = Math.max(...frame.components.map(({ across }) => across)) * 8;
  const high = Math.max(...frame.components.map(({ down }) => down)) * 8;
  const units = Math.ceil(frame.width / wide) * Math.ceil(frame.height / high);
  if (units === 0) return false;
  for (let unit = 0; unit < units; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      const restart = 0xd0 + (unit / interval - 1) % 8;
      if (!source.passMarker(restart)) return false;
      out.flush();
      out.bytes(Uint8Array.of(0xff, restart));
    }
    for (const component of components) {
      for (let block = 0; block < component.blocks; block++) if (!recodeBlock(source, out, component)) return false;
    }
    if (source.isOver) return false;
  }
  out.flush();
  return true;
}

// T.81 §F.1.2: a symbol says how many bits follow it, and they stay as they are.
function recodeBlock(source: BitSource, out: BitSink, component: Recoder): boolean {
  const size = source.symbol(component.dc);
  if (size < 0 || !out.symbol(component.dcCodes, size)) return false;
  if (size > 0) out.bits(source.bits(size), size);
  for (let k = 1; k < 64; k++) {
    const symbol = source.symbol(component.ac);
    if (symbol < 0 || !out.symbol(component.acCodes, symbol)) return false;
    const bits = symbol & 15;
    if (bits > 0) out.bits(source.bits(bits), bits);
    else if (symbol !== 0xf0) return true;
    k += symbol >> 4;
    if (k > 63) return false;
  }
  return true;
}

/** Reads the bits of a scan. Behind its end come zeros, and `isOver` tells that one of them was read. */
class BitSource {
  readonly #from: Uint8Array;
  #at: number;
  #bits = 0;
  #count = 0;
  #padding = 0;

  constructor(from: Uint8Array, at: number) {
    this.#from = from;
    this.#at = at;
  }

  get isOver(): boolean {
    return this.#count < this.#padding;
  }

  #fill(): void {
    while (this.#count <= 24) {
      const byte = this.#from[this.#at];
      const isStuffed = byte === 0xff;
      if (byte === undefined || isStuffed && this.#from[this.#at + 1] !== 0) {
        this.#bits <<= 8;
        this.#padding += 8;
      } else {
        this.#bits = this.#bits << 8 | byte;
        this.#at += isStuffed ? 2 : 1;
      }
      this.#count += 8;
    }
  }

  /** 1 to 16 bits. */
  bits(count: number): number {
    this.#fill();
    this.#count -= count;
    return this.#bits >>> this.#count & (1 << count) - 1;
  }

  /** The next symbol; -1 when no code fits, or behind the end. */
  symbol({ look, limits, offsets, symbols }: Decoder): number {
    this.#fill();
    if (this.#count < this.#padding) return -1;
    const entry = look[this.#bits >>> this.#count - LOOK_BITS & (1 << LOOK_BITS) - 1]!;
    if (entry > 0) {
      this.#count -= entry >> 8;
      return entry & 255;
    }
    for (let length = LOOK_BITS + 1; length <= 16; length++) {
      const code = this.#bits >>> this.#count - length & (1 << length) - 1;
      if (code < limits[length]!) {
        this.#count -= length;
        return symbols[code + offsets[length]!] ?? -1;
      }
    }
    return -1;
  }

  /** Passes what fills the last byte, and a marker that must come next. */
  passMarker(marker: number): boolean {
    while (this.#from[this.#at] === 0xff && this.#from[this.#at + 1] === 0xff) this.#at++;
    if (this.#from[this.#at] !== 0xff || this.#from[this.#at + 1] !== marker) return false;
    if (this.#count - this.#padding > 7) return false;
    this.#at += 2;
    this.#count = 0;
    this.#padding = 0;
    return true;
  }
}

/** Writes the bits of a scan, with a zero byte behind each `FF`. */
class BitSink {
  #into: Uint8Array;
  #at = 0;
  #bits = 0;
  #count = 0;

  constructor(size: number) {
    this.#into = new Uint8Array(size);
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#into.length) return;
    const larger = new Uint8Array(2 * this.#into.length + count);
    larger.set(this.#into);
    this.#into = larger;
  }

  /** Whole bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#into.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** At most 16 bits. */
  bits(value: number, count: number): void {
    this.#bits = this.#bits << count | value;
    this.#count += count;
    this.#reserve(6);
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = this.#bits >>> this.#count & 255;
      this.#into[this.#at++] = byte;
      if (byte === 0xff) this.#into[this.#at++] = 0;
    }
    this.#bits &= (1 << this.#count) - 1;
  }

  /** The code of a symbol; false when it has none. */
  symbol(codes: Codes, symbol: number): boolean {
    const entry = codes[symbol]!;
    if (entry === 0) return false;
    this.bits(entry & 0xffff, entry >> 16);
    return true;
  }

  /** Fills the last byte with ones. */
  flush(): void {
    if (this.#count > 0) this.bits((1 << 8 - this.#count) - 1, 8 - this.#count);
  }

  done(): Uint8Array {
    return this.#into.subarray(0, this.#at);
  }
}
