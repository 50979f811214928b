import assert from "node:assert/strict";
import fc from "fast-check";
import { HttpConnection, type HttpHandler } from "./connection.ts";
import { PushBody } from "./push_body.ts";
import { Wire } from "./testing.ts";

const encoder = new TextEncoder();

function serve(handler: HttpHandler): { wire: Wire; done: Promise<void>; connection: HttpConnection } {
  const wire = new Wire();
  const connection = new HttpConnection(wire, { handler, transport: "tcp", defaultHost: "localhost" });
  return { wire, done: connection.run(), connection };
}

/** What a client gets that says all of this and then no more. */
async function exchange(handler: HttpHandler, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const { wire, done } = serve(handler);
  for (const piece of pieces) wire.say(piece);
  wire.say(null);
  await done;
  assert.ok(wire.isClosed);
  return wire.text.replace(/date: .*\r\n/g, "");
}

/** What a client gets that asks once and waits for the end. */
async function ask(handler: HttpHandler, request: string): Promise<string> {
  const { wire, done } = serve(handler);
  wire.say(request);
  await done;
  return wire.text.replace(/date: .*\r\n/g, "");
}

const echo: HttpHandler = async (request) => new Response(`${request.method} ${await request.text()}`);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("A connection answers one request after the other, also when they come at once and in pieces", async () => {
  const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  const all = `\r\n\r\n${GET}${post}\r\n${GET}`;
  const expected = await exchange(echo, all);
  assert.equal(expected.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
  assert.match(expected, /GET HTTP.*POST abcHTTP.*GET $/s);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: all.length - 1 }), { maxLength: 6 }), async (cuts) => {
      const at = [0, ...[...new Set(cuts)].sort((a, b) => a - b), all.length];
      assert.equal(await exchange(echo, ...at.slice(1).map((end, i) => all.slice(at[i], end))), expected);
    }),
    { numRuns: 30 },
  );
});

Deno.test("A connection reads chunked bodies, and refuses what is none", async () => {
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.match(
    await exchange(echo, `${head}3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n${GET}`),
    /POST abcd.*GET $/s,
  );
  for (const body of ["x\r\n", "3\nabc", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab", `${"1".repeat(20)}\r\n`]) {
    const answer = await exchange(echo, `${head}${body}`);
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request.*connection: close/s, body);
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, body);
  }
});

Deno.test("A connection tells a client that waits for it to go on, once somebody wants the body", async () => {
  const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  assert.match(await exchange(echo, head, "ok"), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK.*POST ok$/s);
  const refusing = () => new Response("no", { status: 413 });
  assert.match(await exchange(refusing, head), /^HTTP\/1\.1 413 (?!.* 100 ).*connection: close\r\n.*no$/s);
});

Deno.test("A connection tells that there is a server to who asks no more than that, and goes on", async () => {
  const asked: string[] = [];
  const handler: HttpHandler = ({ url }) => {
    asked.push(url);
    return new Response(".");
  };
  const answers = await exchange(handler, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", GET);
  assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 2);
  assert.equal(asked.length, 1);
});

Deno.test("A connection passes over a body that nobody wants, up to a limit", async () => {
  const head = (size: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`;
  const short = await exchange(() => new Response("."), head(100_000), "x".repeat(100_000), GET);
  assert.equal(short.match(/HTTP\/1\.1 200/g)?.length, 2);
  const long = await exchange(() => new Response("."), head(3 << 20), new Uint8Array(3 << 20), GET);
  assert.equal(long.match(/HTTP\/1\.1 200/g)?.length, 1);
});

Deno.test("A body that somebody has begun to read and left does not pass for a request", async () => {
  // As a limit on its size reads it, ahead of the handler.
  const handler: HttpHandler = (request) => {
    void request.body?.getReader().read().catch(() => {});
    return new Response(request.url);
  };
  const head = "POST / HTTP/1.1\r\nHost: x\r\n";
  const hidden = `0\r\n\r\n${GET.replace("/", "/hidden")}`;
  const chunked = [`Transfer-Encoding: chunked\r\n\r\n`, `${hidden.length.toString(16)}\r\n`, hidden, "\r\n0\r\n\r\n"];
  for (const pieces of [chunked, ["Content-Length: 3\r\n\r\n", "abc"]]) {
    const { wire, done } = serve(handler);
    wire.say(head);
    for (const piece of [...pieces, LAST]) {
      wire.say(piece);
      await turn();
      await turn();
      await turn();
    }
    await done;
    assert.equal(wire.text.match(/HTTP\/1\.1 200/g)?.length, 2);
    assert.doesNotMatch(wire.text, /hidden/);
  }
});

Deno.test("A connection says how long an answer is, or sends it in chunks, or until the end to HTTP/1.0", async () => {
  // Its end is not known when its beginning is.
  const stream = () => {
    let end = () => {};
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        controller.enqueue(encoder.encode("abc"));
        end = () => controller.close();
      },
    });
    (async () => {
      for (let turns = 0; turns < 10; turns++) await turn();
      end();
    })();
    return new Response(body);
  };
  assert.match(await exchange(() => new Response("abc"), GET), /content-length: 3\r\n\r\nabc$/);
  assert.match(await exchange(() => new Response(null), GET), /content-length: 0\r\n/);
  assert.doesNotMatch(await exchange(() => new Response(null, { status: 204 }), GET), /content-length/);
  assert.match(await ask(stream, LAST), /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
  assert.match(await ask(stream, "GET / HTTP/1.0\r\n\r\n"), /connection: close\r\n\r\nabc$/);
});

Deno.test("A connection answers HEAD without a body, whatever the handler gives", async () => {
  const HEAD = GET.replace("GET", "HEAD");
  const pushed = new PushBody();
  let closes = 0;
  pushed.onClose = () => closes++;
  const answers = [new Response("abc", { status: 404 }), new Response(pushed.stream), new Response(null)];
  const answer = await exchange(() => answers.shift()!, HEAD + HEAD + HEAD);
  assert.match(answer, /^(HTTP\/1\.1 \d+ [^\r]+\r\n([^\r]+\r\n)*\r\n){3}$/);
  assert.equal(closes, 1);
});

Deno.test("A body that fails is cut off, not ended", async () => {
  const failing = () =>
    new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          await turn();
          controller.enqueue(encoder.encode("abc"));
          await turn();
          controller.error(new Error("gone"));
        },
      }),
    );
  const answer = await ask(failing, GET);
  assert.match(answer, /3\r\nabc\r\n$/);
});

Deno.test("A connection refuses what is no request, in one answer", async () => {
  const answers: readonly (readonly [request: string, expected: RegExp])[] = [
    ["nonsense\r\n\r\n", /^HTTP\/1\.1 400 Bad Request\r\n.*Cannot read the request line\n$/s],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(70_000)}`, /^HTTP\/1\.1 431 .*too long\n$/s],
    ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", /^HTTP\/1\.1 400 .*header Host\n$/s],
    ["GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", /^HTTP\/1\.1 400 .*address or method\n$/s],
    ["CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET file:///api HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1\.1 400 /],
  ];
  for (const [request, expected] of answers) {
    const answer = await exchange(echo, request, GET);
    assert.match(answer, expected, request.slice(0, 40));
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
  }
});

Deno.test("PushBody sends each piece as a chunk, tells when the client takes no more, and ends", async () => {
  const body = new PushBody();
  const { wire, done } = serve(() => new Response(body.stream));
  assert.ok(body.bufferedAmount > 0);
  let drains = 0;
  body.onDrain = () => drains++;
  wire.say(GET);
  await turn();
  body.send(encoder.encode("ab"));
  await turn();
  assert.equal(body.bufferedAmount, 0);
  wire.block();
  const before = drains;
  body.send(encoder.encode("cdefghijklmnopqrstuvwxyz"));
  assert.equal(body.bufferedAmount, 24 + 6);
  wire.release();
  await turn();
  assert.deepEqual([body.bufferedAmount, drains], [0, before + 1]);
  body.close();
  assert.throws(() => body.send(new Uint8Array(1)), TypeError);
  wire.say(null);
  await done;
  assert.match(wire.text, /\r\n\r\n2\r\nab\r\n18\r\ncdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n$/);
});

Deno.test("PushBody learns that its client has gone, before and after its answer has begun", async () => {
  for (const isEarly of [true, false]) {
    const body = new PushBody();
    let closes = 0;
    body.onClose = () => closes++;
    const answer = Promise.withResolvers<Response>();
    const { wire, done } = serve(() => answer.promise);
    wire.say(GET);
    await turn();
    if (isEarly) wire.say(null);
    await turn();
    answer.resolve(new Response(body.stream));
    if (!isEarly) wire.say(null);
    await done;
    assert.deepEqual([closes, body.isOpen], [1, false]);
  }
});

Deno.test("PushBody learns that its client has gone also behind bytes that nobody reads", async () => {
  const extra = "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
  const many = GET + "x".repeat(200_000);
  for (const request of [GET + GET, extra, many]) {
    for (const way of ["says so", "takes no more", "is ended"]) {
      const body = new PushBody();
      let closes = 0;
      body.onClose = () => closes++;
      const { wire, done, connection } = serve(() => new Response(body.stream));
      wire.say(request);
      for (let turns = 0; turns < 5; turns++) await turn();
      if (way === "is ended") connection.close();
      else if (way === "takes no more") wire.close();
      else wire.say(null);
      if (way !== "is ended" && request === many) wire.close();
      if (body.isOpen) body.send(new Uint8Array(9));
      await done;
      assert.deepEqual([closes, body.isOpen], [1, false], `${way} after ${request.slice(0, 60)}`);
    }
  }
});

Deno.test("PushBody is a stream for whoever pulls it", async () => {
  const body = new PushBody();
  body.onDrain = () => {
    const shared = encoder.encode("abc");
    body.send(shared);
    shared.fill(0);
    body.close();
  };
  assert.equal(await new Response(body.stream).text(), "abc");
});

Deno.test("closeWhenIdle() ends a resting connection at once, and a busy one after its answer", async () => {
  const resting = serve(echo);
  resting.wire.say(GET);
  await turn();
  await turn();
  resting.connection.closeWhenIdle();
  await resting.done;
  const answer = Promise.withResolvers<Response>();
  const busy = serve(() => answer.promise);
  busy.wire.say(GET);
  await turn();
  busy.connection.closeWhenIdle();
  answer.resolve(new Response("bye"));
  await busy.done;
  assert.match(busy.wire.text, /connection: close\r\n.*bye$/s);
});
