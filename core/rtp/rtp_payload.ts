import type { Payload } from "../media/frame.ts";
import type { PacketList } from "./packet_list.ts";
import type { Depacketizer, PayloadFormat } from "./payloads/format.ts";

/** A frame as the RTP packets in which it arrived; they are never changed. */
export class RtpPayload implements Payload {
  readonly byteLength: number;
  readonly format: PayloadFormat;
  /** Parameter sets are among the packets. */
  readonly hasParameterSets: boolean;
  readonly #packets: PacketList;
  readonly #depacketizer: Depacketizer;

  constructor(
    packets: PacketList,
    about: {
      readonly byteLength: number;
      readonly format: PayloadFormat;
      readonly depacketizer: Depacketizer;
      readonly hasParameterSets: boolean;
    },
  ) {
    this.#packets = packets;
    this.byteLength = about.byteLength;
    this.format = about.format;
    this.hasParameterSets = about.hasParameterSets;
    this.#depacketizer = about.depacketizer;
  }

  /** Views of the whole packets, headers included, in order; made at each call. */
  packets(): readonly Uint8Array[] {
    return this.#packets.views();
  }

  share(): void {
    this.#packets.share();
  }
  discard(): void {
    this.#packets.discard();
  }

  /** The units inside; empty when nothing of the frame can be used. */
  units(): readonly Uint8Array[] {
    return this.#depacketizer.depacketize(this.#packets.views());
  }
}
