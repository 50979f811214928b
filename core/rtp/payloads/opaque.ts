import type { Codec } from "../../media/codec.ts";
import { type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";
import { wholePayloads } from "./opus.ts";

/**
 * Whatever has no format of its own (MPEG-TS, metadata, odd audio): the units are the payloads, a frame is what has one
 * timestamp or, for sound, one packet. Each frame can be started at. Payloads are written as they are, of any size.
 */
export const opaquePayload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: (codec: Codec) =>
    codec.kind === "audio" ? wholePayloads : codec.name === "MP2T" ? streamPayloads : framePayloads,
  packetize: (units) => partsOfFrame(units.filter((unit) => unit.length > 0)),
};

const framePayloads: Depacketizer = {
  look: () => Look.START | Look.CONTENT | Look.KEY,
  depacketize: wholePayloads.depacketize,
};

/** The marker of MPEG-TS stands for a discontinuity (RFC 2250 §2). */
const streamPayloads: Depacketizer = { ...framePayloads, ignoresMarker: true };
