import {
  type Codec,
  codec,
  makeAudioSpecificConfig,
  type Media,
  mediasOfQuery,
  type Start,
  withParameterSets,
} from "../../core/mod.ts";

/** What the query of a player's URL asks for (contract §5.1). */
export interface ViewerOptions {
  readonly medias: readonly Media[];
  readonly loopGuard: string | undefined;
  readonly start: Start | undefined;
  readonly packetBytes: number;
  readonly timeoutMs: number;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "trace";
}

/** A player is gone when nothing came from it for this long. */
const PLAYER_TIMEOUT_MS = 60_000;
/** The least that holds a header and something behind it. */
const MIN_PACKET_BYTES = 100;
const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
const STARTS = ["live", "keyframe", "now"] as const;

/** Reads the query; values that make no sense count as absent. */
export function viewerOptions(
  query: URLSearchParams,
  defaults: { readonly default_query: string; readonly pkt_size: number },
): ViewerOptions {
  return {
    medias: [...wishes(query, defaults.default_query), ...(query.get("backchannel") === "1" ? [microphone()] : [])],
    loopGuard: query.get("source") ?? undefined,
    start: STARTS.find((start) => start === query.get("start")),
    packetBytes: packetBytes(query.get("pkt_size"), defaults.pkt_size),
    timeoutMs: timeoutOf(query, PLAYER_TIMEOUT_MS),
    logLevel: LEVELS.find((level) => level === query.get("log_level")) ?? "warn",
  };
}

function packetBytes(text: string | null, fallback: number): number {
  const bytes = text !== null && /^\d{1,5}$/.test(text) ? Number(text) : fallback;
  return bytes === 0 ? 0 : Math.max(MIN_PACKET_BYTES, bytes);
}

/** `?timeout=` in seconds, within a day. */
export function timeoutOf(query: URLSearchParams, fallbackMs: number): number {
  const text = query.get("timeout") ?? "";
  return /^\d{1,5}(\.\d+)?$/.test(text) && Number(text) > 0 ? Number(text) * 1000 : fallbackMs;
}

function wishes(query: URLSearchParams, defaultQuery: string): Media[] {
  if (query.has("mp4")) return [media("video", ["H264", "H265"]), media("audio", ["MPEG4-GENERIC"])];
  const medias = mediasOfQuery(query);
  return medias.length > 0 ? medias : mediasOfQuery(new URLSearchParams(defaultQuery));
}

function media(kind: "video" | "audio", names: readonly string[]): Media {
  return { kind, direction: "sendonly", codecs: names.map((name) => codec(name, { kind, clockRate: 0 })) };
}

/** What a player's microphone may speak: what most cameras know, best first. */
function microphone(): Media {
  return {
    kind: "audio",
    direction: "recvonly",
    codecs: [
      codec("OPUS", { clockRate: 48000, channels: 2 }),
      ...[16000, 8000].flatMap((clockRate) => ["L16", "PCMA", "PCMU"].map((name) => codec(name, { clockRate }))),
      aac(8000),
      aac(16000),
    ],
  };
}

function aac(sampleRate: number): Codec {
  const config = makeAudioSpecificConfig({ objectType: 2, sampleRate, channels: 1 });
  return withParameterSets(codec("MPEG4-GENERIC", { clockRate: sampleRate }), [config]);
}
