/** Most samples that a packet may hold: 120 ms at 48 kHz (RFC 6716 §3.2.5). */
const MAX_SAMPLES = 5760;
const SILK_SAMPLES = [480, 960, 1920, 2880];

/** The samples of an Opus packet at 48 kHz, by its first bytes (RFC 6716 §3.1); 0 when it is malformed. */
export function opusSamples(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) return 0;
  const config = toc >> 3;
  const samples = config < 12 ? SILK_SAMPLES[config & 3]! : config < 16 ? 480 << (config & 1) : 120 << (config & 3);
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  return samples * frames <= MAX_SAMPLES ? samples * frames : 0;
}

/** The body of the `dOps` box of one or two channels (Opus in ISOBMFF §4.3.2); nothing is cut at the start. */
export function opusHead(channels: number): Uint8Array {
  return Uint8Array.of(...[0, channels], ...[0, 0], ...[0, 0, 0xbb, 0x80], ...[0, 0], 0);
}
