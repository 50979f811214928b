import { type Frame, Outlet, packetOf, type Reader, type RtpChunk } from "../../core/mod.ts";
import type { UdpSender } from "./udp.ts";

/** Datagrams sent in one go; what is left follows in a few ms, so that receivers' buffers do not overflow. */
const BURST_PACKETS = 64;
/** Datagrams that the system may hold. */
const MAX_IN_FLIGHT = 256;

/** A frame's packets for one viewer, and how they get there. */
export interface Datagrams {
  readonly chunk: RtpChunk;
  /** The chunk's own bytes or a patched copy. */
  readonly bytes: Uint8Array;
  readonly sender: UdpSender;
}

/** Sends a reader's frames as UDP datagrams: views of the bytes that all viewers share. */
export class UdpOutlet extends Outlet {
  readonly #packetsOf: (frame: Frame, reader: Reader) => Datagrams | undefined;
  #current: Datagrams | undefined;
  #next = 0;

  constructor(options: {
    readonly reader: Reader;
    /** As `render` of other outlets. */
    readonly packetsOf: (frame: Frame, reader: Reader) => Datagrams | undefined;
    readonly onEnd: (reason: string) => void;
  }) {
    super({ reader: options.reader, render: () => undefined, onEnd: options.onEnd });
    this.#packetsOf = options.packetsOf;
  }

  override pump(): void {
    try {
      let left = BURST_PACKETS;
      while (!this.hasEnded) {
        const datagrams = this.#current ??= this.#nextDatagrams();
        if (!datagrams) return;
        if (left-- === 0 || datagrams.sender.inFlight >= MAX_IN_FLIGHT) return this.pollLater();
        const packet = packetOf(datagrams.chunk, this.#next, datagrams.bytes);
        datagrams.sender.send(packet);
        this.bytesSent += packet.length;
        if (++this.#next < datagrams.chunk.count) continue;
        this.#current = undefined;
        this.#next = 0;
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #nextDatagrams(): Datagrams | undefined {
    for (let frame = this.reader.next(); frame; frame = this.reader.next()) {
      const datagrams = this.#packetsOf(frame, this.reader);
      if (datagrams && datagrams.chunk.count > 0) return datagrams;
    }
    return undefined;
  }
}
