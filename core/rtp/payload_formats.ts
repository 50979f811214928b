import type { Codec } from "../media/codec.ts";
import { aacPayload } from "./payloads/aac.ts";
import { av1Payload } from "./payloads/av1.ts";
import type { PayloadFormat } from "./payloads/format.ts";
import { h264Payload } from "./payloads/h264.ts";
import { h265Payload } from "./payloads/h265.ts";
import { jpegPayload } from "./payloads/jpeg.ts";
import { isLatmFmtp, latmPayload } from "./payloads/latm.ts";
import { mpaPayload } from "./payloads/mpa.ts";
import { opaquePayload } from "./payloads/opaque.ts";
import { opusPayload } from "./payloads/opus.ts";
import { g711Payload, g722Payload, l16Payload, pcmlPayload } from "./payloads/samples.ts";
import { vp8Payload } from "./payloads/vp8.ts";
import { vp9Payload } from "./payloads/vp9.ts";

const FORMATS: Readonly<Record<string, PayloadFormat>> = {
  H264: h264Payload,
  H265: h265Payload,
  AV1: av1Payload,
  VP8: vp8Payload,
  VP9: vp9Payload,
  JPEG: jpegPayload,
  "MPEG4-GENERIC": aacPayload,
  ELD: aacPayload,
  "MP4A-LATM": latmPayload,
  OPUS: opusPayload,
  PCMA: g711Payload,
  PCMU: g711Payload,
  G722: g722Payload,
  L16: l16Payload,
  PCML: pcmlPayload,
  MPA: mpaPayload,
};

/** The format in which packets of a codec are sent to players; opaque for a codec that has none of its own. */
export function payloadFormatOf(codec: Codec): PayloadFormat {
  return Object.hasOwn(FORMATS, codec.name) ? FORMATS[codec.name]! : opaquePayload;
}

/** The format in which a source sends a codec: as {@linkcode payloadFormatOf}, except that AAC may come as LATM. */
export function sourceFormatOf(codec: Codec): PayloadFormat {
  const format = payloadFormatOf(codec);
  return format === aacPayload && isLatmFmtp(codec.fmtp) ? latmPayload : format;
}
