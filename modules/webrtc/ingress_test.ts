import assert from "node:assert/strict";
import {
  codec,
  type Frame,
  makeRtpPacket,
  parseRtcp,
  type RtcpPacket,
  Track,
  writeSenderReport,
} from "../../core/mod.ts";
import { Ingress, type ReceivedLine } from "./ingress.ts";
import type { MediaLink } from "./peer_media.ts";

const VP8 = codec("VP8", { payloadType: 96 });
const PCMU = codec("PCMU", { clockRate: 8000, payloadType: 0 });

/** The payload of one packet of VP8: the first of a picture when it begins one. */
function picture({ isKeyframe = false, isFirst = true, fill = 0 } = {}): Uint8Array {
  const head = isFirst ? [0x10, isKeyframe ? 0x10 : 0x11, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0] : [0x00];
  return Uint8Array.of(...head, ...new Uint8Array(20).fill(fill));
}

/** A peer that sends pictures of two packets each, and sound, in front of an ingress; the test owns the clock. */
class Sender {
  readonly video = new Track(0, VP8);
  readonly audio = new Track(1, PCMU);
  readonly ingress: Ingress;
  readonly sent: RtcpPacket[] = [];
  readonly compounds: Uint8Array[] = [];
  // What has come lies in the past, as viewers ask by the real clock.
  nowMs = performance.now() - 60_000;
  sequence = 65_530;
  timestamp = 0;
  live = 0;

  constructor(more: Partial<ReceivedLine> = {}) {
    this.ingress = new Ingress([
      { track: this.video, codec: VP8, rtx: 97, feedback: ["nack", "nack pli", "goog-remb"], sources: [], ...more },
      { track: this.audio, codec: PCMU, feedback: [], sources: [] },
    ], () => this.live++);
    this.ingress.start({
      sendRtcp: (packet) => {
        this.compounds.push(packet);
        this.sent.push(...parseRtcp(packet));
      },
    } as MediaLink);
  }

  packet(payload: Uint8Array, { marker = false, type = 96, ssrc = 7, sequence = this.sequence++ & 0xffff } = {}) {
    return makeRtpPacket({ marker, payloadType: type, sequence, timestamp: this.timestamp, ssrc }, payload);
  }
  take(packet: Uint8Array): void {
    this.ingress.onRtp(packet, this.nowMs);
  }
  /** The packets of the next picture; time goes on by 40 ms. */
  picture(isKeyframe = false): Uint8Array[] {
    this.nowMs += 40;
    this.timestamp += 3600;
    return [this.packet(picture({ isKeyframe })), this.packet(picture({ isFirst: false }), { marker: true })];
  }
  pictures(count: number, isKeyframe = false): void {
    for (let i = 0; i < count; i++) this.picture(isKeyframe && i === 0).forEach((packet) => this.take(packet));
  }
  ofType<T extends RtcpPacket["type"]>(type: T): Extract<RtcpPacket, { type: T }>[] {
    return this.sent.filter((one) => one.type === type) as Extract<RtcpPacket, { type: T }>[];
  }
  get frames(): Frame[] {
    const { log } = this.video;
    return Array.from({ length: log.nextIndex - log.firstIndex }, (_, i) => log.at(log.firstIndex + i)!);
  }
  [Symbol.dispose](): void {
    this.ingress[Symbol.dispose]();
  }
}

Deno.test("Ingress makes frames of each line's packets and says once that media flows", () => {
  using sender = new Sender();
  sender.pictures(3, true);
  sender.take(sender.packet(new Uint8Array(160), { type: 0, ssrc: 8, sequence: 1 }));
  sender.take(sender.packet(new Uint8Array(160), { type: 101, ssrc: 9, sequence: 1 }));
  assert.equal(sender.video.frames, 3);
  assert.equal(sender.audio.frames, 1);
  assert.equal(sender.live, 1);
  assert.equal(sender.ingress.stats().unknown_packets, 1);
});

Deno.test("Ingress puts packets in order and asks at once for what is missing", () => {
  using sender = new Sender();
  sender.pictures(1, true);
  const [first, second] = sender.picture();
  const [third, fourth] = sender.picture();
  sender.take(first!);
  sender.take(third!);
  assert.deepEqual(sender.ofType("NACK").map(({ about, sequences }) => [about, sequences]), [[7, [65_533]]]);
  sender.take(fourth!);
  assert.equal(sender.video.frames, 1);
  sender.take(second!);
  assert.equal(sender.video.frames, 3);
  assert.ok(sender.frames.every(({ isCorrupt }) => !isCorrupt));
});

Deno.test("Ingress takes packets that are sent again under another number, and reports them as lost", () => {
  using sender = new Sender({ sources: [{ ssrc: 7, rtxSsrc: 70 }] });
  sender.pictures(1, true);
  const [first, second] = sender.picture();
  const [third, fourth] = sender.picture();
  for (const packet of [first!, third!, fourth!]) sender.take(packet);
  sender.timestamp -= 3600;
  const again = Uint8Array.of(second![2]!, second![3]!, ...second!.subarray(12));
  sender.take(sender.packet(again, { marker: true, type: 97, ssrc: 70, sequence: 500 }));
  assert.equal(sender.video.frames, 3);
  assert.ok(sender.frames.every(({ isCorrupt }) => !isCorrupt));
  // Only padding: browsers measure the way with these.
  sender.take(sender.packet(new Uint8Array(0), { type: 97, ssrc: 70, sequence: 501 }));
  sender.ingress.tick(sender.nowMs);
  const block = sender.ofType("RR").flatMap(({ reports }) => reports).at(-1)!;
  assert.deepEqual([block.ssrc, block.lost, block.highestSequence], [7, 1, 65_535]);
});

Deno.test("Ingress passes over packets that are sent again too late", () => {
  using sender = new Sender();
  const [old] = sender.picture(true);
  sender.take(old!);
  sender.pictures(600);
  const newest = sender.video.log.newest!.timestamp;
  const again = Uint8Array.of(old![2]!, old![3]!, ...old!.subarray(12));
  for (const sequence of [1, 2]) sender.take(sender.packet(again.slice(), { type: 97, ssrc: 70, sequence }));
  sender.pictures(30);
  assert.equal(sender.video.log.newest!.timestamp - newest, 30 * 3600);
  assert.equal(sender.frames.at(-20)!.isCorrupt, false);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("RR").at(-1)!.reports[0]!.lost, 1, "the second packet of the first picture");
});

Deno.test("Ingress asks at once for a keyframe when a viewer waits, and again until it comes", () => {
  using sender = new Sender();
  sender.pictures(15, true);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 0);
  sender.video.requestKeyframe();
  sender.video.requestKeyframe();
  assert.deepEqual(sender.ofType("PLI").map(({ about }) => about), [7]);
  sender.nowMs = performance.now() + 600;
  sender.ingress.tick(sender.nowMs);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 2);
  sender.pictures(1, true);
  sender.nowMs += 600;
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 2);
});

Deno.test("Ingress asks for a keyframe when what was lost does not come again", () => {
  using sender = new Sender();
  sender.pictures(15, true);
  sender.picture();
  sender.pictures(12);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 1);
  assert.ok(sender.frames.some(({ isCorrupt }) => isCorrupt));
});

Deno.test("Ingress asks for a keyframe when there was none for two seconds", () => {
  using sender = new Sender();
  sender.pictures(49, true);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 0);
  sender.pictures(3);
  sender.ingress.tick(sender.nowMs);
  assert.equal(sender.ofType("PLI").length, 1);
});

Deno.test("Ingress reports each second what was lost of each line, in one compound with what it can take", () => {
  using sender = new Sender();
  sender.take(sender.packet(new Uint8Array(160), { type: 0, ssrc: 8, sequence: 1 }));
  sender.pictures(1, true);
  sender.ingress.tick(sender.nowMs);
  sender.ingress.tick(sender.nowMs + 500);
  const [report, ...rest] = sender.ofType("RR");
  assert.deepEqual(report!.reports.map(({ ssrc, lost }) => [ssrc, lost]), [[7, 0], [8, 0]]);
  assert.deepEqual(rest, []);
  const text = new TextDecoder("latin1").decode(sender.compounds[0]);
  assert.equal(text.includes("REMB"), true);
  sender.ingress.tick(sender.nowMs + 1000);
  assert.equal(sender.ofType("RR").length, 2);
});

Deno.test("Ingress answers a sender report with its time and takes the clock of its own line only", () => {
  using sender = new Sender();
  sender.pictures(1, true);
  const wallMs = 1_700_000_000_000;
  for (const ssrc of [8, 7]) {
    const report = writeSenderReport({ ssrc, wallMs, rtpTimestamp: 3600, packets: 2, bytes: 60, cname: "a" });
    sender.ingress.onRtcp(report, sender.nowMs);
  }
  sender.ingress.tick(sender.nowMs + 1000);
  const block = sender.ofType("RR").at(-1)!.reports[0]!;
  assert.notEqual(block.lastReport, 0);
  assert.equal(block.delay, 65_536);
});

Deno.test("Ingress keeps to a stream until it is silent", () => {
  using sender = new Sender();
  sender.pictures(2, true);
  sender.take(sender.packet(picture({ isKeyframe: true }), { marker: true, ssrc: 666, sequence: 9 }));
  assert.equal(sender.video.frames, 2);
  sender.nowMs += 1001;
  sender.take(sender.packet(picture({ isKeyframe: true }), { marker: true, ssrc: 666, sequence: 10 }));
  assert.equal(sender.video.frames, 3);
});

Deno.test("Ingress tells lines with one payload type apart by what they announced", () => {
  const tracks = [new Track(0, VP8), new Track(1, VP8)];
  using ingress = new Ingress(
    tracks.map((track, i) => ({ track, codec: VP8, feedback: [], sources: [{ ssrc: 10 + i }] })),
  );
  for (const ssrc of [11, 11, 10]) {
    const header = { marker: true, payloadType: 96, sequence: tracks[ssrc - 10]!.frames, timestamp: 0, ssrc };
    ingress.onRtp(makeRtpPacket(header, picture({ isKeyframe: true })), 0);
  }
  assert.deepEqual(tracks.map(({ frames }) => frames), [1, 2]);
});

Deno.test("Ingress takes nothing any more when it is closed", () => {
  const sender = new Sender();
  sender.pictures(1, true);
  sender.ingress[Symbol.dispose]();
  sender.pictures(1, true);
  sender.video.requestKeyframe();
  assert.equal(sender.video.frames, 1);
  assert.equal(sender.video.onKeyframeWanted, undefined);
});

Deno.test("Ingress survives packets that are cut short", () => {
  using sender = new Sender();
  sender.pictures(1, true);
  for (const packet of [...sender.picture(), sender.packet(Uint8Array.of(1, 2, 3), { type: 97, ssrc: 70 })]) {
    for (let length = 0; length < packet.length; length++) {
      sender.take(packet.slice(0, length));
      sender.ingress.onRtcp(packet.slice(0, length), sender.nowMs);
    }
  }
  sender.ingress.tick(sender.nowMs);
});

Deno.test("Ingress gets whole pictures over a way that loses one packet in ten, also of those sent again", () => {
  using sender = new Sender({ sources: [{ ssrc: 7, rtxSsrc: 70 }] });
  const kept = new Map<number, Uint8Array>();
  const answers: { readonly atMs: number; readonly packet: Uint8Array }[] = [];
  let seed = 1;
  const isLost = () => (seed = seed * 48_271 % 0x7fffffff) % 10 === 0;
  let again = 0;
  let answered = 0;
  for (let i = 0; i < 1000; i++) {
    const packets = sender.picture(i === 0);
    for (const packet of packets) {
      kept.set(packet[2]! << 8 | packet[3]!, packet.slice());
      if (i === 0 || !isLost()) sender.take(packet);
    }
    for (let ms = 0; ms < 40; ms += 20) {
      sender.ingress.tick(sender.nowMs + ms);
      for (const { sequences } of sender.ofType("NACK").slice(answered)) {
        for (const sequence of sequences) {
          const original = kept.get(sequence);
          if (!original || isLost()) continue;
          const packet = sender.packet(Uint8Array.of(original[2]!, original[3]!, ...original.subarray(12)), {
            ...{ marker: original[1]! > 127, type: 97, ssrc: 70, sequence: again++ },
          });
          packet.set(original.subarray(4, 8), 4);
          answers.push({ atMs: sender.nowMs + 50, packet });
        }
      }
      answered = sender.ofType("NACK").length;
      while (answers.length > 0 && answers[0]!.atMs <= sender.nowMs + ms) sender.take(answers.shift()!.packet);
    }
  }
  assert.ok(sender.video.frames > 985, `${sender.video.frames} of 1000 pictures`);
  const corrupt = sender.frames.filter(({ isCorrupt }) => isCorrupt).length;
  assert.ok(corrupt <= 5, `${corrupt} pictures are broken`);
  const lost = sender.ofType("RR").flatMap(({ reports }) => reports).at(-1)!.lost;
  assert.ok(lost > 150 && lost < 250, `${lost} of 2000 packets were reported as lost`);
});
