import assert from "node:assert/strict";
import { type Attachment, codec as makeCodec, type Logger, parseSourceUrl, Track, Units } from "../../core/mod.ts";
import { answer, FakeCamera, obedient } from "./fake_camera.ts";
import { openPush } from "./push.ts";

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const silent: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, limited() {} };

type Push = Awaited<ReturnType<typeof openPush>>;

function open(sink: string): Promise<Push> {
  const { signal } = new AbortController();
  return openPush(parseSourceUrl(sink), {
    signal,
    log: silent,
    stream: "yard",
    isTrusted: true,
    wanted: [],
    wantsSpeaker: false,
  });
}

/** A push that runs, of one track that the test feeds. */
class Running implements AsyncDisposable {
  readonly track = new Track(0, makeCodec("VP8"));
  readonly ended: Promise<Error | undefined>;
  readonly #controller = new AbortController();
  readonly #push: Push;
  #pts = 0;
  #feeding: ReturnType<typeof setInterval> | undefined;

  constructor(push: Push) {
    this.#push = push;
    const attachment: Attachment = {
      assignments: [{ media: push.medias[0]!, track: this.track }],
      onReplaced: undefined,
      detach() {},
      [Symbol.dispose]() {},
    };
    this.ended = push.run(this.#controller.signal, attachment).then(() => undefined, (error) => error);
  }

  /** Has keyframes of that size come from now on. */
  feed(size: number): void {
    const unit = new Uint8Array(size);
    unit.set([0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0]);
    this.#feeding = setInterval(() => {
      this.track.append({ payload: new Units([unit]), pts: this.#pts, isKeyframe: true });
      this.#pts += 3600;
    }, 40);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#feeding);
    this.#controller.abort();
    await this.ended;
    this.#push.close("the test is over");
    this.track.close();
  }
}

Deno.test("openPush() announces, sets up and records, sends the frames and says goodbye", async () => {
  await using target = new FakeCamera(obedient(""));
  {
    await using running = new Running(await open(target.source()));
    running.feed(100);
    await target.until(() => target.packets.some(({ channel }) => channel === 0));
  }
  await target.until(() => target.methods().includes("TEARDOWN"));
  assert.deepEqual(target.methods(), ["ANNOUNCE", "SETUP", "RECORD", "TEARDOWN"]);
});

Deno.test("openPush() connects again when the server did not wait for the source to be attached", async () => {
  await using target = new FakeCamera(obedient(""));
  const push = await open(target.source());
  await target.until(() => target.connections === 1);
  target.drop();
  await using running = new Running(push);
  const recorded = target.until(() => target.methods().includes("RECORD"));
  assert.equal(await Promise.race([running.ended, recorded]), undefined);
  assert.equal(target.connections, 2);
});

Deno.test("openPush() says so when the server wants media on other channels", async () => {
  await using target = new FakeCamera((request, own) =>
    request.method === "SETUP"
      ? answer(request, "200 OK", ["Transport: RTP/AVP/TCP;unicast;interleaved=4-5", "Session: 1"])
      : obedient("")(request, own)
  );
  await using running = new Running(await open(target.source()));
  assert.match(
    (await running.ended)!.message,
    /chose "RTP\/AVP\/TCP;unicast;interleaved=4-5": expected interleaved=0-1/,
  );
});

Deno.test("openPush() answers the server's questions between frames", async () => {
  await using target = new FakeCamera(obedient(""));
  const push = await open(target.source());
  await using running = new Running(push);
  await target.until(() => target.methods().includes("RECORD"));
  const free = Promise.withResolvers<void>();
  target.busy = free.promise;
  // More than the system takes: part of the frame is on its way, and the rest waits.
  running.feed(10_000_000);
  while (!push.info.bytesSent) await delay(10);
  await target.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
  await delay(100);
  free.resolve();
  await target.until(() => target.answers.length > 0);
  assert.match(target.answers[0]!, /^RTSP\/1.0 200 OK\nCSeq: 1/);
  assert.ok(target.packets.every(({ channel, packet }) => channel < 2 && packet[0] === 0x80));
});

Deno.test("openPush() says no goodbye in the midst of a frame", async () => {
  await using target = new FakeCamera(obedient(""));
  const push = await open(target.source());
  const free = Promise.withResolvers<void>();
  {
    await using running = new Running(push);
    await target.until(() => target.methods().includes("RECORD"));
    target.busy = free.promise;
    running.feed(10_000_000);
    while (!push.info.bytesSent) await delay(10);
  }
  free.resolve();
  await target.until(() => target.open === 0);
  const texts = target.packets.map(({ packet }) => new TextDecoder("latin1").decode(packet));
  assert.ok(texts.length > 0 && texts.every((text) => !text.includes("TEARDOWN")));
});
