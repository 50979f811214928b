import assert from "node:assert/strict";
import { codec, readFmp4 } from "../../core/mod.ts";
import { frameFile, streamFile } from "./file.ts";
import { request, TestStream, turn } from "./testing.ts";

async function whole(response: Response): Promise<ReturnType<typeof readFmp4>> {
  return readFmp4(new Uint8Array(await response.arrayBuffer()));
}

Deno.test("streamFile() answers with a file that begins at zero and ends when the stream lets it go", async () => {
  const stream = new TestStream();
  stream.feed(5, { isKeyframe: true });
  const response = await streamFile(stream, request('src=cam&mp4=flac&filename=ya"rd%C3%A9.mp4'));
  assert.match(response.headers.get("content-type")!, /^video\/mp4; codecs="avc1\.42\w{4},flac"$/);
  assert.equal(response.headers.get("content-disposition"), 'attachment; filename="ya_rd_.mp4"');
  const file = whole(response);
  // It starts live: what came before is not in it, nor what comes before a keyframe.
  stream.feed(3);
  stream.feed(20, { isKeyframe: true });
  const { promise: left, resolve } = Promise.withResolvers<void>();
  stream.onLeft = resolve;
  await turn();
  stream.consumers[0]!.close("the program ends");
  await left;
  const [video, audio] = (await file).tracks;
  assert.deepEqual([video!.samples.length, video!.samples[0]!.dts, video!.samples[0]!.isKeyframe], [20, 0, true]);
  assert.ok(Math.abs(audio!.samples.length - 20) <= 1);
});

Deno.test("streamFile() ends after its duration, and when the viewer leaves", async () => {
  const stream = new TestStream();
  stream.feed(5, { isKeyframe: true });
  const { tracks } = await whole(await streamFile(stream, request("src=cam&start=now&duration=0.05")));
  assert.equal(tracks[0]!.samples.length, 5);
  assert.equal(stream.consumers.length, 0);
  const response = await streamFile(stream, request("src=cam"));
  assert.equal(stream.consumers.length, 1);
  await response.body!.cancel();
  assert.equal(stream.consumers.length, 0);
});

Deno.test("streamFile() leaves a stream of which no header can be written", async () => {
  const stream = new TestStream({ ...codec("MPEG4-GENERIC", { kind: "audio", clockRate: 48000 }), channels: 7 });
  await assert.rejects(streamFile(stream, request("src=cam&audio=aac")), /7 channels/);
  assert.equal(stream.consumers.length, 0);
});

Deno.test("streamFile() writes rotate and scale into the header, and leaves out nonsense", async () => {
  const bytes = async (query: string) => {
    const stream = new TestStream();
    const response = await streamFile(stream, request(`src=cam&duration=0.001&${query}`));
    return new Uint8Array(await response.arrayBuffer());
  };
  const plain = await bytes("");
  assert.notDeepEqual(await bytes("rotate=90"), plain);
  assert.notDeepEqual(await bytes("scale=4:3"), plain);
  assert.deepEqual(await bytes("rotate=91&scale=0:3"), plain);
});

Deno.test("streamFile() waits for parameter sets of a source that does not describe itself", async () => {
  const stream = new TestStream(codec("H264"));
  const answer = streamFile(stream, request("src=cam&duration=0.05"));
  const described = new TestStream().video.codec;
  await turn();
  stream.feed(1, { isKeyframe: true, codec: described });
  const [video] = (await whole(await answer)).tracks;
  assert.deepEqual([video!.width, video!.height], [320, 240]);
});

Deno.test("frameFile() answers with the newest keyframe and leaves", async () => {
  const stream = new TestStream();
  stream.feed(30, { isKeyframe: true });
  const response = await frameFile(stream, request("src=cam"));
  const length = Number(response.headers.get("content-length"));
  const bytes = new Uint8Array(await response.arrayBuffer());
  assert.equal(bytes.length, length);
  const { tracks } = readFmp4(bytes);
  assert.deepEqual([tracks.length, tracks[0]!.samples.length, tracks[0]!.samples[0]!.isKeyframe], [1, 1, true]);
  assert.equal(stream.consumers.length, 0);
});

Deno.test("frameFile() waits for a keyframe, and no longer than the viewer", async () => {
  const stream = new TestStream();
  stream.feed(3);
  const waiting = frameFile(stream, request("src=cam"));
  await turn();
  stream.feed(1, { isKeyframe: true });
  assert.equal((await whole(await waiting)).tracks[0]!.samples.length, 1);

  const empty = new TestStream();
  const leaving = new AbortController();
  const other = frameFile(empty, request("src=cam", leaving.signal));
  await turn();
  leaving.abort();
  await assert.rejects(other, { code: "CLOSED" });
  assert.equal(empty.consumers.length, 0);
});
