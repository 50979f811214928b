/**
 * Reads just enough of fragmented MP4 (ISO/IEC 14496-12) to follow a live stream: which tracks there are, when each
 * fragment begins, and whether a decoder can start there.
 */

const NOT_SYNC = 0x10000;

/** Calls `visit(type, start, end)` for each box between two offsets; `start` is where its body begins. */
function eachBox(view, from, to, visit) {
  for (let at = from; at + 8 <= to;) {
    let size = view.getUint32(at);
    let header = 8;
    if (size === 1 && at + 16 <= to) {
      size = view.getUint32(at + 8) * 0x100000000 + view.getUint32(at + 12);
      header = 16;
    } else if (size === 0) {
      size = to - at;
    }
    if (size < header || at + size > to) return;
    visit(view.getUint32(at + 4), at + header, at + size, at);
    at += size;
  }
}

/** The number of a four-letter box type. */
function box(name) {
  return ((name.charCodeAt(0) << 24) | (name.charCodeAt(1) << 16) | (name.charCodeAt(2) << 8) | name.charCodeAt(3)) >>>
    0;
}

const [FTYP, MOOV, TRAK, TKHD, MDIA, MDHD, HDLR] = ["ftyp", "moov", "trak", "tkhd", "mdia", "mdhd", "hdlr"].map(box);
const [MVEX, TREX, MOOF, TRAF, TFHD, TFDT, TRUN] = ["mvex", "trex", "moof", "traf", "tfhd", "tfdt", "trun"].map(box);
const VIDEO = box("vide");

function readMoov(view, from, to) {
  const tracks = new Map();
  const defaults = new Map();
  eachBox(view, from, to, (type, start, end) => {
    if (type === MVEX) {
      eachBox(view, start, end, (inner, at) => {
        if (inner === TREX) defaults.set(view.getUint32(at + 4), view.getUint32(at + 20));
      });
    }
    if (type !== TRAK) return;
    const track = { id: 0, timescale: 90000, isVideo: false, flags: 0 };
    eachBox(view, start, end, (inner, at, stop) => {
      if (inner === TKHD) track.id = view.getUint32(at + (view.getUint8(at) === 1 ? 20 : 12));
      if (inner !== MDIA) return;
      eachBox(view, at, stop, (leaf, body) => {
        if (leaf === MDHD) track.timescale = view.getUint32(body + (view.getUint8(body) === 1 ? 20 : 12)) || 90000;
        if (leaf === HDLR) track.isVideo = view.getUint32(body + 8) === VIDEO;
      });
    });
    tracks.set(track.id, track);
  });
  for (const [id, flags] of defaults) if (tracks.has(id)) tracks.get(id).flags = flags;
  return tracks;
}

function readTraf(view, from, to, tracks) {
  let track;
  let flags = 0;
  let time = 0;
  let offset = 0;
  eachBox(view, from, to, (type, start) => {
    const has = view.getUint32(start) & 0xffffff;
    if (type === TFHD) {
      track = tracks.get(view.getUint32(start + 4));
      let at = start + 8 + (has & 1 ? 8 : 0) + (has & 2 ? 4 : 0) + (has & 8 ? 4 : 0) + (has & 16 ? 4 : 0);
      flags = has & 32 ? view.getUint32(at) : track?.flags ?? 0;
      at += 4;
    } else if (type === TFDT) {
      const isLong = view.getUint8(start) === 1;
      time = isLong ? view.getUint32(start + 4) * 0x100000000 + view.getUint32(start + 8) : view.getUint32(start + 4);
    } else if (type === TRUN) {
      let at = start + 8 + (has & 1 ? 4 : 0);
      if (has & 4) {
        flags = view.getUint32(at);
        at += 4;
      }
      at += (has & 0x100 ? 4 : 0) + (has & 0x200 ? 4 : 0);
      if (has & 0x400) {
        if (!(has & 4)) flags = view.getUint32(at);
        at += 4;
      }
      if (has & 0x800) offset = view.getUint8(start) === 0 ? view.getUint32(at) : view.getInt32(at);
    }
  });
  if (!track) return undefined;
  return {
    isVideo: track.isVideo,
    isKey: !track.isVideo || (flags & NOT_SYNC) === 0,
    time: (time + offset) / track.timescale,
  };
}

/**
 * Cuts a message into parts. An initialization segment is `{bytes, tracks}`; a fragment is `{bytes, isVideo, isKey,
 * time}` with the time in seconds. What cannot be read is handed on as it is: the browser is the judge.
 */
export function cut(data, tracks) {
  const view = new DataView(data);
  const parts = [];
  let known = tracks;
  let open;
  let end = 0;
  const close = (at) => {
    if (open) parts.push({ ...open, bytes: new Uint8Array(data, open.at, at - open.at) });
    open = undefined;
  };
  try {
    eachBox(view, 0, data.byteLength, (type, start, stop, at) => {
      if (type === FTYP) {
        close(at);
        open = { at };
      } else if (type === MOOV) {
        known = readMoov(view, start, stop);
        open = { at: open?.at ?? at, tracks: known };
      } else if (type === MOOF) {
        close(at);
        open = { at };
        eachBox(view, start, stop, (inner, body, tail) => {
          if (inner !== TRAF) return;
          const read = readTraf(view, body, tail, known);
          // A fragment of several tracks goes by its picture.
          if (read && (open.time === undefined || read.isVideo)) Object.assign(open, read);
        });
      }
      end = stop;
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  if (open) end = data.byteLength;
  close(end);
  if (end < data.byteLength) parts.push({ bytes: new Uint8Array(data, end) });
  return parts;
}
