import { H264Nal, h264NalType, h264ProfileName, parseH264Sps } from "../codecs/h264.ts";
import type { Codec } from "../media/codec.ts";
import { describeMedia } from "../media/media.ts";
import type { Track } from "../media/track.ts";
import { redactUrls } from "../util/errors.ts";
import type { ConsumerEntry } from "./consumer_entry.ts";
import { idOf } from "./ids.ts";
import type { Slot } from "./slot.ts";
import type { Stream } from "./stream.ts";
import type { ConnectionInfo, ConnectionJson, Json, StreamJson } from "./types.ts";

const CODEC_NAMES: Readonly<Record<string, string>> = {
  H264: "h264",
  H265: "hevc",
  JPEG: "mjpeg",
  RAW: "rawvideo",
  PCMA: "pcm_alaw",
  PCMU: "pcm_mulaw",
  L16: "pcm_s16be",
  PCML: "pcm_s16le",
  "MPEG4-GENERIC": "aac",
  OPUS: "opus",
  VP8: "vp8",
  VP9: "vp9",
  AV1: "av1",
  ELD: "aac/eld",
  FLAC: "flac",
  MPA: "mp3",
};

interface Counters {
  readonly bytes: number;
  readonly packets: number;
  readonly drops?: number;
}

/** A stream in the shape of contract §3.5.1, keys in its order, logins in URLs hidden. */
export function streamJson(stream: Stream): StreamJson {
  const { consumers } = stream;
  const { slot: played } = stream.playback;
  const slots = played ? [...stream.slots, played] : stream.slots;
  const children = childrenOf(slots, consumers);
  return {
    producers: slots.map((slot) => producerJson(slot, children)),
    consumers: consumers.map((entry) => consumerJson(entry)),
  };
}

/** The numbers of the senders that each track feeds. */
function childrenOf(
  slots: readonly Slot[],
  consumers: readonly ConsumerEntry[],
): ReadonlyMap<Track, readonly number[]> {
  const children = new Map<Track, number[]>();
  const add = (track: Track, id: number) => {
    const ids = children.get(track);
    if (ids) ids.push(id);
    else children.set(track, [id]);
  };
  for (const { places } of consumers) {
    for (const { claim } of places) if (!claim.isMicrophone) add(claim.track, claim.id);
  }
  for (const { speakers } of slots) {
    for (const { talkers } of speakers) for (const { microphone, id } of talkers) add(microphone, id);
  }
  return children;
}

function producerJson(slot: Slot, children: ReadonlyMap<Track, readonly number[]>): ConnectionJson {
  const health = {
    state: slot.state,
    cause: slot.cause,
    timeline: slot.timeline.map(({ at, state, cause }) => compact({ at, state, cause })),
  };
  const source = redactUrls(slot.source);
  const { producer } = slot;
  if (!producer) return { url: slot.canDial ? source : "", ...compact(health) };
  const { info } = producer;
  const receivers = slot.bindings.filter(({ media, users }) => media || users > 0).map(({ track }) => track);
  const senders = slot.speakers.flatMap(({ codec, talkers }) => talkers.map((talker) => ({ codec, talker })));
  return {
    ...compact({ id: slot.connectionId, ...beginningOf(info), source: info.source && redactUrls(info.source) }),
    url: info.url === undefined ? source : redactUrls(info.url),
    ...compact({
      ...endOf(info),
      medias: producer.medias.map(describeMedia),
      receivers: receivers.map((track) => receiverJson(track, children.get(track))),
      senders: senders.map(({ codec, talker }) => senderJson(talker.id, codec, talker.microphone, talker)),
      bytes_recv: info.bytesReceived ?? sum(receivers),
      bytes_send: info.bytesSent ?? sum(senders.map(({ talker }) => talker)),
      ...health,
    }),
  };
}

/** A consumer in the shape of contract §3.5.1. */
export function consumerJson(entry: ConsumerEntry): ConnectionJson {
  const { consumer, places } = entry;
  const { info } = consumer;
  const source = info.source ?? consumer.loopGuard;
  const microphones = places.map(({ claim }) => claim).filter((claim) => claim.isMicrophone);
  const sent = places.map(({ claim }) => claim).filter((claim) => !claim.isMicrophone).map(({ id, track }) => ({
    id,
    track,
    counters: consumer.sent?.(track) ?? { bytes: 0, packets: 0 },
  }));
  return compact({
    id: entry.id,
    ...beginningOf(info),
    source: source && redactUrls(source),
    url: info.url && redactUrls(info.url),
    ...endOf(info),
    medias: consumer.medias.map(describeMedia),
    receivers: microphones.map(({ id, track }) => receiverJson(track, [id])),
    senders: sent.map(({ id, track, counters }) => senderJson(id, track.codec, track, counters)),
    bytes_recv: info.bytesReceived ?? sum(microphones.map(({ track }) => track)),
    bytes_send: info.bytesSent ?? sum(sent.map(({ counters }) => counters)),
    start: info.start,
    skips: info.skips,
  });
}

function beginningOf({ formatName, protocol, remoteAddr }: ConnectionInfo): Record<string, Json | undefined> {
  return { format_name: formatName, protocol, remote_addr: remoteAddr };
}

function endOf({ sdp, userAgent }: ConnectionInfo): Record<string, Json | undefined> {
  return { sdp: sdp && redactUrls(sdp), user_agent: userAgent };
}

function receiverJson(track: Track, children: readonly number[] | undefined): Json {
  return {
    id: idOf(track),
    codec: codecJson(track.codec),
    ...compact({ childs: children, bytes: track.bytes, packets: track.packets || track.frames }),
  };
}

function senderJson(id: number, codec: Codec, parent: Track, { bytes, packets, drops }: Counters): Json {
  return { id, codec: codecJson(codec), ...compact({ parent: idOf(parent), bytes, packets, drops }) };
}

/** A codec under the names that ffmpeg gives it. */
export function codecJson(codec: Codec): Record<string, Json> {
  return compact({
    channels: codec.channels,
    codec_name: CODEC_NAMES[codec.name] ?? codec.name,
    codec_type: codec.kind,
    ...h264Level(codec),
    sample_rate: codec.clockRate === 90000 ? 0 : codec.clockRate,
  });
}

function h264Level(codec: Codec): { level?: number; profile?: string } {
  const sps = codec.name === "H264" ? codec.parameterSets.find((set) => h264NalType(set) === H264Nal.SPS) : undefined;
  if (!sps) return {};
  try {
    const { levelIdc, profileIdc } = parseH264Sps(sps);
    return { level: levelIdc, profile: h264ProfileName(profileIdc) };
  } catch {
    // An odd SPS plays in many decoders all the same: it is shown without its profile.
    return {};
  }
}

function sum(counted: readonly { readonly bytes: number }[]): number {
  return counted.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The object without its empty members. */
function compact(fields: Readonly<Record<string, Json | undefined>>): Record<string, Json> {
  const kept: Record<string, Json> = {};
  for (const [key, value] of Object.entries(fields)) {
    const isEmpty = value === undefined || value === "" || value === 0 || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) kept[key] = value;
  }
  return kept;
}
