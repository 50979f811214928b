import { opusSamples } from "../../codecs/opus.ts";
import type { Codec } from "../../media/codec.ts";
import { rtpPayload } from "../packet.ts";
import { type Depacketizer, Look, type PayloadFormat } from "./format.ts";

/** Payloads that are whole audio frames as they stand. */
export const wholePayloads: Depacketizer = {
  look: () => Look.START | Look.CONTENT | Look.KEY | Look.END,
  depacketize: (packets) => packets.map(rtpPayload).filter((payload) => payload.length > 0),
};

/** Opus: one packet of the codec in each packet of RTP (RFC 7587 §4.2). */
export const opusPayload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: () => wholePayloads,
  packetize: (units, codec) =>
    units.filter((unit) => unit.length > 0)
      .map((payload) => ({ payload, marker: true, advance: opusTicks(payload, codec) })),
  ticks: opusTicks,
};

function opusTicks(packet: Uint8Array, codec: Codec): number {
  return Math.round(opusSamples(packet) * (codec.clockRate || 48000) / 48000);
}
