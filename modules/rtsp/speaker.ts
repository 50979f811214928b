import { type Codec, type Frame, makeRtpPacket, payloadFormatOf, Reader, type Track } from "../../core/mod.ts";

/** What fits into a packet towards a camera. */
const MAX_PAYLOAD_BYTES = 1400;
/** `Quirk(Reolink doorbell): plays PCMA only in packets of 1024 bytes whose timestamp is 0; all cameras accept these.` */
const PCMA_PACKET_BYTES = 1024;
/** A silence after which what was left over is old. */
const STALE_MS = 1000;

/** Sends what people say to a camera's speaker, as RTP. */
export class SpeakerSender implements Disposable {
  readonly #reader: Reader;
  readonly #codec: Codec;
  readonly #send: (packet: Uint8Array) => void;
  readonly #ssrc = Math.floor(Math.random() * 0xffffffff);
  #sequence = Math.floor(Math.random() * 0xffff);
  #rest = new Uint8Array(PCMA_PACKET_BYTES);
  #restLength = 0;
  #lastMs = 0;

  constructor(track: Track, codec: Codec, send: (packet: Uint8Array) => void) {
    this.#codec = codec;
    this.#send = send;
    this.#reader = new Reader([track], { start: "live", dropsCorrupt: true });
    this.#reader.wake = () => this.#pump();
    this.#pump();
  }

  #pump(): void {
    for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) {
      if (this.#codec.name === "PCMA") this.#regroup(frame);
      else this.#pass(frame);
    }
  }

  #regroup(frame: Frame): void {
    if (frame.arrivalMs - this.#lastMs > STALE_MS) this.#restLength = 0;
    this.#lastMs = frame.arrivalMs;
    for (const unit of frame.payload.units()) {
      for (let at = 0; at < unit.length;) {
        const part = unit.subarray(at, at + PCMA_PACKET_BYTES - this.#restLength);
        this.#rest.set(part, this.#restLength);
        this.#restLength += part.length;
        at += part.length;
        if (this.#restLength < PCMA_PACKET_BYTES) continue;
        this.#sendPacket(this.#rest, 0);
        this.#restLength = 0;
      }
    }
  }

  #pass(frame: Frame): void {
    let timestamp = frame.timestamp;
    for (const part of payloadFormatOf(this.#codec).packetize(frame.payload.units(), this.#codec, MAX_PAYLOAD_BYTES)) {
      this.#sendPacket(part.payload, timestamp);
      timestamp += part.advance;
    }
  }

  #sendPacket(payload: Uint8Array, timestamp: number): void {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#send(makeRtpPacket({
      marker: true,
      payloadType: this.#codec.payloadType ?? 0,
      sequence: this.#sequence,
      timestamp,
      ssrc: this.#ssrc,
    }, payload));
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}
