import { swap16 } from "../../codecs/pcm.ts";
import type { Codec } from "../../media/codec.ts";
import type { PayloadFormat } from "./format.ts";
import { wholePayloads } from "./opus.ts";

/**
 * Samples without frames (RFC 3551 §4.5): PCMA, PCMU and G722 with a byte per tick and channel (G.722's clock counts
 * every other sample), L16 with two. What is too long for a packet is cut between samples.
 */
function samplesPayload(bytesPerTick: number): PayloadFormat {
  const sizeOf = (codec: Codec) => bytesPerTick * Math.max(1, codec.channels);
  return {
    isPassedOn: true,
    depacketizer: () => wholePayloads,
    packetize: (units, codec, maxPayload) =>
      units.flatMap((unit) => {
        const size = sizeOf(codec);
        const step = Math.max(size, maxPayload - maxPayload % size);
        const parts = [];
        for (let at = 0; at < unit.length; at += step) {
          const payload = unit.subarray(at, at + step);
          parts.push({ payload, marker: true, advance: Math.floor(payload.length / size) });
        }
        return parts;
      }),
    ticks: (unit, codec) => Math.floor(unit.length / sizeOf(codec)),
  };
}

export const g711Payload: PayloadFormat = samplesPayload(1);
export const g722Payload: PayloadFormat = samplesPayload(1);
export const l16Payload: PayloadFormat = samplesPayload(2);

/**
 * PCML: Quirk(Hikvision): sends 16-bit samples in little endian. They stay so inside, and players get them as L16.
 */
export const pcmlPayload: PayloadFormat = {
  ...l16Payload,
  isPassedOn: false,
  packetize: (units, codec, maxPayload) => l16Payload.packetize(units.map(swap16), codec, maxPayload),
};
