import { type Frame, makeRtpPacket, rtpSequence, rtpSsrc, rtpTimestamp } from "../../core/mod.ts";

/** Slices of pictures that nothing can be made of (a data partition, a parameter set that is not there). */
const SLICES: Readonly<Record<string, Uint8Array>> = {
  H264: Uint8Array.of(0x42, 0x80),
  H265: Uint8Array.of(0x02, 0x01, 0x81, 0x00, 0x80),
};
/** A picture's length at 25 a second; any will do. */
const EARLIER_TICKS = 3600;

/**
 * `Quirk(ffmpeg): its parser forgets the time of a session's first picture, and where pictures are out of order a copy into
 * Matroska, MPEG-TS or HLS ends with that. We put a picture in front that it may forget: a copy leaves it out, a decoder
 * passes over it with two lines in the log.` Answers the packet that goes before `first`, the first one of `frame`.
 */
export function forgottenPicture(
  { userAgent, codecName, frame }: { readonly userAgent: string; readonly codecName: string; readonly frame: Frame },
  first: Uint8Array,
): Uint8Array | undefined {
  const slice = SLICES[codecName];
  if (!slice || frame.compositionOffset === 0 || !userAgent.includes("Lavf")) return undefined;
  return makeRtpPacket({
    marker: true,
    payloadType: first[1]! & 0x7f,
    sequence: (rtpSequence(first) - 1) & 0xffff,
    timestamp: (rtpTimestamp(first) - EARLIER_TICKS) >>> 0,
    ssrc: rtpSsrc(first),
  }, slice);
}
