import { type AccelCrypto, openCrypto } from "./accel_crypto.ts";
import { nativeObstacle } from "./accel_native.ts";
import { type AccelUdp, openUdp, type UdpBatchSender } from "./accel_udp.ts";
import type { UdpSocket } from "./types.ts";

export type { AccelCrypto } from "./accel_crypto.ts";
export type { UdpBatchSender, UdpBatchStats } from "./accel_udp.ts";

/**
 * Native code for the two hot loops of encrypted media: packet ciphers and sending. Every part may be absent; what it
 * would do is then done by the runtime, slower.
 */
export interface Accel extends Disposable {
  /** One line for the log: what there is, or why there is nothing. */
  readonly summary: string;
  readonly crypto: AccelCrypto | undefined;
  /** A batch sender on the descriptor of an open socket; `undefined`: use the socket's `send`. */
  udpSender(socket: UdpSocket): UdpBatchSender | undefined;
}

/**
 * Opens what this machine and our permissions allow (Linux on x64 and arm64, `--allow-ffi`), each part proven by a test of
 * itself. Never throws and never asks for a permission. What was made of it stays usable after it is disposed of.
 */
export function openAccel(mode: "auto" | "off"): Accel {
  const obstacle = mode === "off" ? "switched off" : nativeObstacle();
  if (obstacle !== undefined) return new NativeAccel(undefined, undefined, `off: ${obstacle}`);
  const crypto = attempt("libcrypto", openCrypto);
  const udp = attempt("UDP batches", openUdp);
  const cryptoText = crypto.failure ?? `${crypto.part?.version} (AES-GCM, AES-CM with HMAC-SHA1)`;
  const udpText = udp.failure ?? `UDP batches ${udp.part?.hasSegmentation ? "with" : "without"} segmentation`;
  return new NativeAccel(crypto.part, udp.part, `${cryptoText}; ${udpText}`);
}

function attempt<T>(name: string, open: () => T): { part?: T; failure?: string } {
  try {
    return { part: open() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { failure: `no ${name}: ${reason.split("\n")[0]}` };
  }
}

class NativeAccel implements Accel {
  readonly summary: string;
  readonly crypto: (AccelCrypto & Disposable) | undefined;
  readonly #udp: (AccelUdp & Disposable) | undefined;

  constructor(
    crypto: (AccelCrypto & Disposable) | undefined,
    udp: (AccelUdp & Disposable) | undefined,
    summary: string,
  ) {
    this.crypto = crypto;
    this.#udp = udp;
    this.summary = summary;
  }

  udpSender(socket: UdpSocket): UdpBatchSender | undefined {
    try {
      return this.#udp?.sender(socket);
    } catch {
      // Closed since, or out of descriptors: the socket's own send does it.
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.crypto?.[Symbol.dispose]();
    this.#udp?.[Symbol.dispose]();
  }
}
