import assert from "node:assert/strict";
import { makeRtpPacket } from "../../../core/mod.ts";
import type { MediaLink, PeerMedia } from "../peer_media.ts";
import type { OfferSection } from "../sdp.ts";
import { LateMedia } from "./late_media.ts";

function packet(payloadType: number, sequence: number, ssrc = 7): Uint8Array {
  return makeRtpPacket({ marker: false, payloadType, sequence, timestamp: 0, ssrc }, Uint8Array.of(1));
}

class Recorder implements PeerMedia {
  readonly seen: string[] = [];
  start(): void {
    this.seen.push("start");
  }
  onRtp(packet: Uint8Array, nowMs: number): void {
    this.seen.push(`rtp ${packet[1]! & 127} ${packet[3]} ${nowMs}`);
  }
  onRtcp(_packet: Uint8Array, nowMs: number): void {
    this.seen.push(`rtcp ${nowMs}`);
  }
  onDrained(): void {
    this.seen.push("drained");
  }
  onPathChanged(): void {
    this.seen.push("path");
  }
  setPaused(isPaused: boolean): void {
    this.seen.push(`paused ${isPaused}`);
  }
  stats() {
    return { seen: this.seen.length };
  }
  [Symbol.dispose](): void {
    this.seen.push("disposed");
  }
}

Deno.test("LateMedia hands over what it has kept, and renames payload types", () => {
  const late = new LateMedia();
  const media = new Recorder();
  late.start({} as MediaLink);
  late.onRtp(packet(97, 1), 1);
  late.onRtcp(new Uint8Array(8), 2);
  late.onRtp(packet(0, 2), 3);
  late.onRtp(Uint8Array.of(1, 2), 4);
  late.become(media, new Map([[97, 96]]));
  late.onRtp(packet(97, 3), 5);
  late.onDrained();
  late.setPaused(true);
  assert.deepEqual(late.stats(), { seen: 7 });
  late[Symbol.dispose]();
  const seen = ["start", "rtp 96 1 1", "rtcp 2", "rtp 0 2 3", "rtp 96 3 5", "drained", "paused true", "disposed"];
  assert.deepEqual(media.seen, seen);
});

Deno.test("LateMedia keeps no more than a keyframe and gives nothing to who comes too late", () => {
  const late = new LateMedia();
  for (let i = 0; i < 3000; i++) late.onRtp(packet(96, i), i);
  const media = new Recorder();
  late.become(media, new Map());
  assert.equal(media.seen.length, 1024);
  const closed = new LateMedia();
  closed[Symbol.dispose]();
  const other = new Recorder();
  closed.become(other, new Map());
  assert.deepEqual(other.seen, ["disposed"]);
});

Deno.test("LateMedia tells which codec of a line comes first", async () => {
  const late = new LateMedia();
  const never = new AbortController();
  const section = (payloadTypes: number[], ssrc?: number) =>
    ({
      codecs: payloadTypes.map((payloadType) => ({ payloadType })),
      sources: ssrc === undefined ? [] : [{ ssrc }],
    }) as unknown as OfferSection;
  const video = late.firstCodec(section([96, 98], 8), never.signal);
  const audio = late.firstCodec(section([0, 8]), never.signal);
  late.onRtp(packet(96, 1, 7), 0);
  late.onRtp(packet(98, 1, 8), 0);
  late.onRtp(packet(8, 1, 9), 0);
  assert.equal((await video)!.payloadType, 98);
  assert.equal((await audio)!.payloadType, 8);
  const none = late.firstCodec(section([111]), never.signal);
  never.abort();
  assert.equal(await none, undefined);
});
