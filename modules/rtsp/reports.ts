/** How often reports go out (RFC 3550 §6.2 for few participants). */
const INTERVAL_MS = 5000;

const reporters = new Set<(nowMs: number) => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Has `report` called every 5 s until what it answers is called; one timer serves all. `report` must not throw. */
export function reportRegularly(report: (nowMs: number) => void): () => void {
  reporters.add(report);
  timer ??= setInterval(() => {
    const nowMs = performance.now();
    for (const one of reporters) one(nowMs);
  }, INTERVAL_MS);
  return () => {
    reporters.delete(report);
    if (reporters.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export const INTERLEAVED_HEADER_BYTES = 4;

/** A packet behind the four bytes that tell its channel (RFC 2326 §10.12). */
export function interleave(channel: number, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(INTERLEAVED_HEADER_BYTES + packet.length);
  frame.set([0x24, channel, packet.length >> 8, packet.length & 255]);
  frame.set(packet, INTERLEAVED_HEADER_BYTES);
  return frame;
}

/** Several buffers as one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
