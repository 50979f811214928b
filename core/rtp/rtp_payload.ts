import type { Payload } from "../media/frame.ts";
import type { Depacketizer, PayloadFormat } from "./payloads/format.ts";

/** A frame as the RTP packets in which it arrived: views that are never changed. */
export class RtpPayload implements Payload {
  /** Whole packets, headers included, in order. */
  readonly packets: readonly Uint8Array[];
  readonly byteLength: number;
  readonly format: PayloadFormat;
  /** Parameter sets are among the packets. */
  readonly hasParameterSets: boolean;
  readonly #depacketizer: Depacketizer;

  constructor(
    packets: readonly Uint8Array[],
    about: {
      readonly byteLength: number;
      readonly format: PayloadFormat;
      readonly depacketizer: Depacketizer;
      readonly hasParameterSets: boolean;
    },
  ) {
    this.packets = packets;
    this.byteLength = about.byteLength;
    this.format = about.format;
    this.hasParameterSets = about.hasParameterSets;
    this.#depacketizer = about.depacketizer;
  }

  /** The units inside; empty when nothing of the frame can be used. */
  units(): readonly Uint8Array[] {
    return this.#depacketizer.depacketize(this.packets);
  }
}
