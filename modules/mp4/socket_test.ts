import assert from "node:assert/strict";
import { readFmp4, Track, Units } from "../../core/mod.ts";
import { streamToSocket } from "./socket.ts";
import { large, small, TestSocket, TestStream } from "./testing.ts";

const MSE = "avc1.640029,mp4a.40.2,flac";

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("streamToSocket() sends the type, the header, then fragments from zero on", async () => {
  const stream = new TestStream();
  stream.feed(10, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, MSE, "mse");
  assert.deepEqual(socket.texts.map(({ type }) => type), ["mse"]);
  assert.match(socket.texts[0]!.value!, /^video\/mp4; codecs="avc1\.42\w{4},flac"$/);
  assert.equal(readFmp4(socket.pieces[0]!).tracks.length, 2);
  stream.feed(5);
  const [video, audio] = readFmp4(join(socket.pieces)).tracks;
  assert.equal(video!.samples.length, 15);
  assert.equal(video!.samples[0]!.dts, 0);
  assert.ok(video!.samples[0]!.isKeyframe);
  // Sound of the time before the start is old.
  assert.equal(audio!.samples.length, 5);
});

Deno.test("streamToSocket() squeezes the backlog unless it is told where to start", async () => {
  const spans = await Promise.all(["src=cam", "src=cam&start=keyframe", "src=cam&start=live"].map(async (query) => {
    const stream = new TestStream();
    stream.feed(50, { isKeyframe: true });
    using socket = new TestSocket(query);
    await streamToSocket(stream, socket, "avc1.640029", "mse");
    const [video] = readFmp4(join(socket.pieces)).tracks;
    return [video!.samples.length, video!.samples.at(-1)?.dts ?? 0];
  }));
  assert.deepEqual(spans, [[50, 49 * 90], [50, 49 * 3600], [0, 0]]);
});

Deno.test("streamToSocket() sends another type and header when the codec changes", async () => {
  const stream = new TestStream();
  stream.feed(2, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, "avc1.640029", "mse");
  stream.feed(2, { isKeyframe: true, codec: large });
  const types = socket.texts.map(({ value }) => value);
  assert.equal(types.length, 2);
  assert.match(types[1]!, /avc1\.4D/);
  const at = socket.socket.sent.findLastIndex((one) => typeof one === "string");
  const piece = socket.socket.sent[at + 1] as Uint8Array;
  const [video] = readFmp4(piece).tracks;
  assert.deepEqual([video!.width, video!.height, video!.samples[0]!.isKeyframe], [1280, 720, true]);
  assert.ok(video!.samples[0]!.dts > 0, "times go on");
});

Deno.test("streamToSocket() sends the header of a new codec with the first picture, also where that comes after its sets", async () => {
  const stream = new TestStream();
  stream.feed(2, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, "avc1.640029", "mse");
  const count = socket.pieces.length;
  const payload = new Units(large.parameterSets);
  stream.video.append({ payload, pts: 7200, dts: 7200, isKeyframe: false, codec: large, arrivalMs: 1090 });
  assert.equal(socket.pieces.length, count);
  stream.feed(2, { isKeyframe: true, codec: large });
  assert.deepEqual(socket.pieces.slice(count).map((piece) => readFmp4(piece).tracks[0]?.width), [1280, undefined]);
});

Deno.test("streamToSocket() goes on with the track that a source came back with", async () => {
  const stream = new TestStream();
  stream.feed(2, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, "avc1.640029", "mse");
  const video = new Track(0, large);
  stream.attachment!.onReplaced!(stream.video, video);
  const count = socket.pieces.length;
  stream.feed(1, { video });
  assert.equal(socket.pieces.length, count, "it waits for a keyframe");
  stream.feed(1, { isKeyframe: true, video });
  assert.equal(readFmp4(socket.pieces.at(-1)!).tracks[0]!.width, 1280);
});

Deno.test("streamToSocket() sends keyframes as files of their own in the mode mp4", async () => {
  const stream = new TestStream();
  stream.feed(3, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, MSE, "mp4");
  stream.feed(3, { isKeyframe: true });
  const files = socket.pieces.map(readFmp4);
  assert.deepEqual(files.map(({ tracks }) => [tracks.length, tracks[0]!.samples.length]), [[1, 1], [1, 1]]);
});

Deno.test("streamToSocket() lets a new request take the place of the one before, and leaves with the socket", async () => {
  const stream = new TestStream();
  stream.feed(1, { isKeyframe: true });
  const socket = new TestSocket();
  await streamToSocket(stream, socket, MSE, "mse");
  await streamToSocket(stream, socket, "avc1.640029", "mse");
  assert.equal(stream.consumers.length, 1);
  const { info } = stream.consumers[0]!;
  assert.deepEqual([info.formatName, info.protocol, info.start], ["mse/fmp4", "ws", "now"]);
  assert.ok(info.bytesSent! > 0);
  socket[Symbol.dispose]();
  assert.equal(stream.consumers.length, 0);
});

Deno.test("streamToSocket() closes the socket with the reason when the stream lets it go", async () => {
  const stream = new TestStream(small);
  stream.feed(1, { isKeyframe: true });
  using socket = new TestSocket();
  await streamToSocket(stream, socket, MSE, "mse");
  stream.consumers[0]!.close("the stream was removed");
  assert.equal(socket.socket.closeReason, "the stream was removed");
  assert.equal(stream.consumers.length, 0);
});

Deno.test("streamToSocket() lets the stream go when the socket is closed over its first message", async () => {
  const stream = new TestStream();
  stream.feed(2, { isKeyframe: true });
  using socket = new TestSocket();
  socket.send = () => socket.socket.close();
  await streamToSocket(stream, socket, MSE, "mse");
  assert.equal(stream.consumers.length, 0);
});
