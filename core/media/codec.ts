/** What a media line carries: `"application"` covers everything that is neither picture nor sound. */
export type Kind = "video" | "audio" | "application";

/**
 * One encoding with its parameters. Immutable: a change of parameter sets is a new `Codec` and a new generation of its
 * track. Names are as in SDP, upper case: `H264 H265 AV1 VP8 VP9 JPEG RAW`, `MPEG4-GENERIC OPUS PCMA PCMU L16 PCML FLAC
 * MPA G722 ELD`, and the wildcards `ANY` and `ALL`.
 */
export interface Codec {
  readonly name: string;
  readonly kind: Kind;
  /** Ticks per second of its timestamps; 0 stands for any in a wish. */
  readonly clockRate: number;
  /** 0 stands for any in a wish, and for mono in what a source offers. */
  readonly channels: number;
  /** The SDP format parameters, without the payload type. */
  readonly fmtp: string;
  /** The payload type its source uses; absent when the source does not speak RTP. */
  readonly payloadType?: number;
  /**
   * What a decoder needs before the first frame: H264 `[SPS, PPS…]`, H265 `[VPS, SPS, PPS…]` (NAL units without start
   * codes), AAC `[AudioSpecificConfig]`, AV1 `[sequence header OBU]`, Opus and FLAC their headers. Empty when unknown.
   */
  readonly parameterSets: readonly Uint8Array[];
  /** Picture size, where the parameter sets tell it. */
  readonly width?: number;
  readonly height?: number;
}

const VIDEO = new Set(["H264", "H265", "AV1", "VP8", "VP9", "JPEG", "RAW"]);

/** The kind of a codec by its SDP name; unknown names are `"audio"` unless said otherwise. */
export function kindOf(name: string): Kind {
  return VIDEO.has(name) ? "video" : "audio";
}

/** Makes a codec from what is known of it; the rest takes the usual values (video: 90 kHz). */
export function codec(name: string, known: Partial<Omit<Codec, "name">> = {}): Codec {
  const kind = known.kind ?? kindOf(name);
  return {
    kind,
    clockRate: kind === "video" ? 90000 : 0,
    channels: 0,
    fmtp: "",
    parameterSets: [],
    ...known,
    name,
  };
}

/** Whether a source's codec satisfies a wish: same name, and the wish's rate and channels unless they are 0. */
export function matches(offered: Codec, wanted: Codec): boolean {
  if (wanted.name === "ANY" || wanted.name === "ALL") return true;
  return offered.name === wanted.name &&
    (wanted.clockRate === 0 || offered.clockRate === wanted.clockRate) &&
    (wanted.channels === 0 || offered.channels === wanted.channels);
}

/** Whether two codecs have the same parameter sets, byte for byte. */
export function hasSameParameters(a: Codec, b: Codec): boolean {
  return a.name === b.name && a.clockRate === b.clockRate && a.channels === b.channels &&
    a.parameterSets.length === b.parameterSets.length &&
    a.parameterSets.every((set, i) => equalBytes(set, b.parameterSets[i]!));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
