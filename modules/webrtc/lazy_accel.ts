import { type Accel, openAccel, type UdpBatchSender, type UdpSocket } from "../../core/mod.ts";
import type { BatchSender } from "./udp_mux.ts";

/** The accelerator, opened when the first peer comes: an idle server does without what it costs. */
export class LazyAccel implements Disposable {
  readonly #mode: "auto" | "off";
  #accel: Accel | undefined;

  constructor(mode: "auto" | "off") {
    this.#mode = mode;
  }

  /** What there is, or why there is nothing; `undefined` before the first peer. */
  get summary(): string | undefined {
    return this.#accel?.summary;
  }

  open(): Accel {
    return this.#accel ??= openAccel(this.#mode);
  }

  /** A sender for a socket, which takes nothing until the accelerator is open. */
  readonly batchOf = (socket: UdpSocket): BatchSender => {
    let sender: UdpBatchSender | undefined;
    let isAsked = false;
    return {
      send: (bytes, offsets, to) => {
        if (!isAsked && this.#accel) {
          isAsked = true;
          sender = this.#accel.udpSender(socket);
        }
        return Math.max(0, sender?.send(bytes, offsets, to) ?? 0);
      },
      [Symbol.dispose]: () => {
        isAsked = true;
        sender?.[Symbol.dispose]();
        sender = undefined;
      },
    };
  };

  [Symbol.dispose](): void {
    this.#accel?.[Symbol.dispose]();
  }
}
