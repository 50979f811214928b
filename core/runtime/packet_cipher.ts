/** Bytes kept for an initialization vector: 16 for counter mode, of which GCM takes 12. */
export const IV_BYTES = 16;

/**
 * The packets of one frame as a cipher takes them: parallel arrays, reused from frame to frame. Headers are in the output
 * already; payloads are read from a source buffer, which may be the output itself.
 */
export class SealBatch {
  count = 0;
  ivs = new Uint8Array(0);
  /** Where each payload begins in the source. */
  payloadStarts = new Int32Array(0);
  payloadBytes = new Int32Array(0);
  /** Where each packet begins in the output. */
  packetStarts = new Int32Array(0);
  headerBytes = new Int32Array(0);
  /** What is authenticated behind the packet: the rollover counter, or the E bit and index of SRTCP. */
  trailers = new Uint32Array(0);

  /** Makes room for `count` packets. */
  reserve(count: number): void {
    if (count <= this.trailers.length) return;
    const room = Math.max(32, count * 2);
    this.ivs = new Uint8Array(room * IV_BYTES);
    this.payloadStarts = new Int32Array(room);
    this.payloadBytes = new Int32Array(room);
    this.packetStarts = new Int32Array(room);
    this.headerBytes = new Int32Array(room);
    this.trailers = new Uint32Array(room);
  }
}

/** Session keys of one direction and how its packets end. */
export interface PacketCipherOptions {
  readonly key: Uint8Array;
  /** For HMAC-SHA1; empty with GCM. */
  readonly authenticationKey: Uint8Array;
  readonly tagBytes: number;
  /** SRTCP: the index word is sent, before the tag (counter mode) or behind it (GCM, RFC 7714 §9.2). */
  readonly isControl: boolean;
}

/** Encrypts and authenticates SRTP or SRTCP packets. One direction, one key; used by one thread. */
export interface PacketCipher extends Disposable {
  /**
   * Encrypts all packets of a batch from `source` to `out`, with the tag (and SRTCP's index word) behind each.
   * Throws `RangeError` when a packet does not lie in its buffer.
   */
  seal(batch: SealBatch, source: Uint8Array, out: Uint8Array): void;
  /** Checks and decrypts one packet in place; answers where its plaintext ends, -1 when it is forged or too short. */
  open(packet: Uint8Array, headerBytes: number, iv: Uint8Array, trailer: number): number;
}
