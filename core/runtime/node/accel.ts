import type { Accel } from "../accel.ts";

export type { Accel, AccelCrypto, UdpBatchSender, UdpBatchStats } from "../accel.ts";

/** Node calls no native code: everything is done by the runtime. */
export function openAccel(mode: "auto" | "off"): Accel {
  return {
    summary: mode === "off" ? "off: switched off" : "off: there are none for Node",
    crypto: undefined,
    udpSender: () => undefined,
    [Symbol.dispose]() {},
  };
}

/** Node calls no native code: what was freed stays with the C library. */
export function giveBackFreedMemory(_signal: AbortSignal): void {}
