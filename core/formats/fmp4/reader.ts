/** One sample of a fragmented file; times in the timescale of its track. */
export interface Fmp4Sample {
  readonly dts: number;
  readonly pts: number;
  readonly duration: number;
  readonly isKeyframe: boolean;
  readonly bytes: Uint8Array;
}

/** One track of a fragmented file, with its samples in the order of the file. */
export interface Fmp4FileTrack {
  readonly id: number;
  /** `vide` or `soun`. */
  readonly handler: string;
  readonly timescale: number;
  /** Type of its sample entry, as `avc1`. */
  readonly entry: string;
  /** The boxes of the sample entry by type, without their headers (`avcC`, `esds`, `pasp`…). */
  readonly config: ReadonlyMap<string, Uint8Array>;
  readonly width: number;
  readonly height: number;
  readonly matrix: readonly number[];
  readonly samples: Fmp4Sample[];
}

/** What {@linkcode readFmp4} finds. */
export interface Fmp4File {
  readonly brand: string;
  readonly tracks: readonly Fmp4FileTrack[];
  /** The number of each fragment, in the order of the file. */
  readonly sequence: readonly number[];
}

interface Box {
  readonly type: string;
  /** Position of its first byte in the file. */
  readonly start: number;
  readonly body: DataView;
}

const KEYFRAME_MASK = 0x10000;

/**
 * Reads a fragmented MP4 as this program writes it: single runs of samples with their data in the `mdat` that follows. A
 * file that is cut off gives what came before; boxes that make no sense are left out.
 */
export function readFmp4(bytes: Uint8Array): Fmp4File {
  const tracks = new Map<number, Fmp4FileTrack>();
  const defaults = new Map<number, Defaults>();
  const sequence: number[] = [];
  let brand = "";
  for (const { type, start, body } of boxes(viewOf(bytes), 0)) {
    if (type === "ftyp" && body.byteLength >= 4) brand = fourCc(body, 0);
    else if (type === "moov") readMoov(body, tracks, defaults);
    else if (type === "moof") readMoof(bytes, start, body, tracks, defaults, sequence);
  }
  return { brand, tracks: [...tracks.values()], sequence };
}

interface Defaults {
  duration: number;
  size: number;
  flags: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function fourCc(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

function* boxes(view: DataView, from: number): Generator<Box> {
  let at = from;
  while (at + 8 <= view.byteLength) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > view.byteLength) return;
    yield {
      type: fourCc(view, at + 4),
      start: at,
      body: new DataView(view.buffer, view.byteOffset + at + 8, size - 8),
    };
    at += size;
  }
}

/** The body of the first box down a path, when it has at least `size` bytes. */
function find(view: DataView, path: readonly string[], size: number): DataView | undefined {
  let body = view;
  for (const type of path) {
    let found: DataView | undefined;
    for (const one of boxes(body, 0)) {
      if (one.type !== type) continue;
      found = one.body;
      break;
    }
    if (!found) return undefined;
    body = found;
  }
  return body.byteLength >= size ? body : undefined;
}

function readMoov(moov: DataView, tracks: Map<number, Fmp4FileTrack>, defaults: Map<number, Defaults>): void {
  for (const { type, body } of boxes(moov, 0)) {
    if (type === "trak") {
      const track = readTrak(body);
      // A second init segment describes what follows; the samples so far stay.
      if (track) tracks.set(track.id, { ...track, samples: tracks.get(track.id)?.samples ?? [] });
    } else if (type === "mvex") {
      for (const trex of boxes(body, 0)) {
        if (trex.type !== "trex" || trex.body.byteLength < 24) continue;
        defaults.set(trex.body.getUint32(4), {
          duration: trex.body.getUint32(12),
          size: trex.body.getUint32(16),
          flags: trex.body.getUint32(20),
        });
      }
    }
  }
}

function readTrak(trak: DataView): Fmp4FileTrack | undefined {
  const tkhd = find(trak, ["tkhd"], 84);
  const mdhd = find(trak, ["mdia", "mdhd"], 20);
  const hdlr = find(trak, ["mdia", "hdlr"], 12);
  const stsd = find(trak, ["mdia", "minf", "stbl", "stsd"], 8);
  if (!tkhd || !mdhd || !hdlr || !stsd) return undefined;
  const [entry] = boxes(stsd, 8);
  if (!entry) return undefined;
  const handler = fourCc(hdlr, 8);
  const config = new Map<string, Uint8Array>();
  for (const { type, body } of boxes(entry.body, handler === "vide" ? 78 : 28)) config.set(type, bytesOf(body));
  return {
    id: tkhd.getUint32(12),
    handler,
    timescale: mdhd.getUint32(12),
    entry: entry.type,
    config,
    width: tkhd.getUint32(76) / 0x10000,
    height: tkhd.getUint32(80) / 0x10000,
    matrix: Array.from({ length: 9 }, (_, i) => tkhd.getInt32(40 + i * 4)),
    samples: [],
  };
}

function readMoof(
  file: Uint8Array,
  start: number,
  moof: DataView,
  tracks: Map<number, Fmp4FileTrack>,
  defaults: Map<number, Defaults>,
  sequence: number[],
): void {
  const mfhd = find(moof, ["mfhd"], 8);
  if (mfhd) sequence.push(mfhd.getUint32(4));
  for (const { type, body } of boxes(moof, 0)) {
    if (type !== "traf") continue;
    const tfhd = find(body, ["tfhd"], 8);
    const tfdt = find(body, ["tfdt"], 8);
    const trun = find(body, ["trun"], 8);
    if (!tfhd || !tfdt || !trun) continue;
    const track = tracks.get(tfhd.getUint32(4));
    if (!track) continue;
    const fields = readTfhd(tfhd, defaults.get(track.id) ?? { duration: 0, size: 0, flags: 0 });
    const isLong = tfdt.getUint8(0) === 1;
    if (!fields || (isLong && tfdt.byteLength < 12)) continue;
    const time = isLong ? tfdt.getUint32(4) * 0x100000000 + tfdt.getUint32(8) : tfdt.getUint32(4);
    readTrun(file, start, trun, time, fields, track);
  }
}

function readTfhd(tfhd: DataView, fallback: Defaults): Defaults | undefined {
  const flags = tfhd.getUint32(0) & 0xffffff;
  const fields = { ...fallback };
  let at = 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
  const count = (flags >> 3 & 1) + (flags >> 4 & 1) + (flags >> 5 & 1);
  if (at + count * 4 > tfhd.byteLength) return undefined;
  const next = () => tfhd.getUint32((at += 4) - 4);
  if (flags & 8) fields.duration = next();
  if (flags & 0x10) fields.size = next();
  if (flags & 0x20) fields.flags = next();
  return fields;
}

function readTrun(
  file: Uint8Array,
  start: number,
  trun: DataView,
  time: number,
  fields: Defaults,
  track: Fmp4FileTrack,
): void {
  const flags = trun.getUint32(0) & 0xffffff;
  const count = trun.getUint32(4);
  let at = 8;
  const width = (flags >> 8 & 1) + (flags >> 9 & 1) + (flags >> 10 & 1) + (flags >> 11 & 1);
  const head = (flags & 1) * 4 + (flags & 4);
  if (at + head + count * width * 4 > trun.byteLength || (width === 0 && count > 1)) return;
  let from = start + (flags & 1 ? trun.getInt32(at) : 0);
  at += head;
  let dts = time;
  for (let i = 0; i < count; i++) {
    const next = () => trun.getUint32((at += 4) - 4);
    const duration = flags & 0x100 ? next() : fields.duration;
    const size = flags & 0x200 ? next() : fields.size;
    const sampleFlags = flags & 0x400 ? next() : fields.flags;
    const offset = flags & 0x800 ? next() | 0 : 0;
    if (from < 0 || from + size > file.length) return;
    track.samples.push({
      dts,
      pts: dts + offset,
      duration,
      isKeyframe: (sampleFlags & KEYFRAME_MASK) === 0,
      bytes: file.subarray(from, from + size),
    });
    from += size;
    dts += duration;
  }
}
