import assert from "node:assert/strict";
import type { Case, Runtime } from "./conformance_testing.ts";
import type { HttpPeer, HttpServer, ServerSocket } from "./types.ts";

type Handler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

function serve(runtime: Runtime, handler: Handler): AsyncDisposable & { url: string; server: HttpServer } {
  const server = runtime.serveHttp({ host: "127.0.0.1" }, handler);
  return {
    server,
    url: `http://127.0.0.1:${server.address.port}/`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Opens a WebSocket: our side of it, and the client's. */
async function socketPair(runtime: Runtime, onUpgrade: (socket: ServerSocket) => void) {
  const http = serve(runtime, (request) => {
    const { response, socket } = runtime.upgradeWebSocket(request);
    onUpgrade(socket);
    return response;
  });
  const client = new WebSocket(http.url.replace("http", "ws"));
  client.binaryType = "arraybuffer";
  const closed = new Promise<CloseEvent>((resolve) => client.addEventListener("close", resolve, { once: true }));
  await new Promise((resolve, reject) => {
    client.addEventListener("open", resolve, { once: true });
    client.addEventListener("error", reject, { once: true });
  });
  return { client, closed, [Symbol.asyncDispose]: () => http.server.close() };
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Never ${what}`);
}

/** The web server and its sockets. */
export const httpCases: readonly Case[] = [
  {
    name: "serveHttp() answers with who asks, and closes",
    async run(runtime) {
      const http = serve(runtime, (_, { host, transport }) => new Response(`${host} ${transport}`));
      const response = await fetch(http.url);
      assert.equal(response.headers.get("content-length"), "13");
      assert.equal(await response.text(), "127.0.0.1 tcp");
      assert.throws(() => runtime.serveHttp(http.server.address, () => new Response()), runtime.isAddressInUse);
      await http.server.close();
      await assert.rejects(fetch(http.url));
    },
  },
  {
    name: "serveHttp() passes method, address, headers and body",
    async run(runtime) {
      await using http = serve(runtime, async (request) => {
        const body = await request.text();
        const { pathname, search } = new URL(request.url);
        return new Response(`${request.method} ${pathname}${search} ${request.headers.get("x-a")} ${body}`, {
          status: 201,
          headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
        });
      });
      const body = "x".repeat(100_000);
      const response = await fetch(`${http.url}a%20b?c=d&c`, { method: "PUT", headers: { "x-a": "1, 2" }, body });
      assert.equal(response.status, 201);
      assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
      assert.equal(await response.text(), `PUT /a%20b?c=d&c 1, 2 ${body}`);
    },
  },
  {
    name: "serveHttp() sends the head of a stream before its first byte, and asks only for what the client takes",
    async run(runtime) {
      const piece = new Uint8Array(1 << 18);
      let go = () => {};
      let count = 0;
      let isCancelled = false;
      let signal: AbortSignal | undefined;
      await using http = serve(runtime, (request) => {
        signal = request.signal;
        const started = new Promise<void>((resolve) => go = resolve);
        const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
          async pull(controller) {
            await started;
            count++;
            controller.enqueue(piece);
          },
          cancel: () => void (isCancelled = true),
        }, { highWaterMark: 0 });
        return new Response(body);
      });
      const controller = new AbortController();
      const response = await fetch(http.url, { signal: controller.signal });
      assert.equal(response.headers.get("content-length"), null);
      const reader = response.body!.getReader();
      go();
      await reader.read();
      let before = -1;
      for (; count !== before; await new Promise((resolve) => setTimeout(resolve, 150))) before = count;
      assert.ok(count < 128, `${count} pieces were asked for`);
      assert.equal(signal!.aborted, false);
      controller.abort();
      await until(() => isCancelled, "cancelled the body");
    },
  },
  {
    name: "A request whose client has gone is aborted, one that was answered is not",
    async run(runtime) {
      const signals: AbortSignal[] = [];
      await using http = serve(runtime, async (request) => {
        signals.push(request.signal);
        if (request.url.endsWith("slow")) await new Promise((resolve) => request.signal.onabort = resolve);
        return new Response("done");
      });
      assert.equal(await (await fetch(http.url)).text(), "done");
      const controller = new AbortController();
      const slow = fetch(`${http.url}slow`, { signal: controller.signal });
      await until(() => signals.length === 2, "asked");
      controller.abort();
      await assert.rejects(slow);
      await until(() => signals[1]!.aborted, "aborted");
      assert.equal(signals[0]!.aborted, false);
    },
  },
  {
    name: "upgradeWebSocket() passes text and bytes both ways, and how it was closed",
    async run(runtime) {
      let ends = 0;
      await using both = await socketPair(runtime, (socket) => {
        socket.onOpen = () => socket.send("open");
        socket.onMessage = (message) => socket.send(message);
        socket.onClose = () => ends++;
      });
      const { client, closed } = both;
      const got: unknown[] = [];
      client.addEventListener("message", ({ data }) => got.push(typeof data === "string" ? data : data.byteLength));
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 300_000];
      for (const size of sizes) {
        client.send("\u00e9".repeat(size / 2));
        client.send(new Uint8Array(size));
      }
      await until(() => got.length >= sizes.length * 2, "answered");
      const expected = sizes.flatMap((size) => ["\u00e9".repeat(size / 2), size]);
      assert.deepEqual(got.filter((one) => one !== "open"), expected);
      client.close(4001, "enough");
      assert.equal((await closed).code, 4001);
      await until(() => ends === 1, "ended");
    },
  },
  {
    name: "ServerSocket.close() closes with a code, once",
    async run(runtime) {
      let own: ServerSocket | undefined;
      let ends = 0;
      await using both = await socketPair(runtime, (socket) => {
        own = socket;
        socket.onClose = () => ends++;
      });
      assert.equal(own!.isOpen, true);
      own!.close(1008, "no more");
      assert.equal(own!.isOpen, false);
      own!.close();
      assert.equal((await both.closed).code, 1008);
      await until(() => ends > 0, "ended");
      assert.equal(ends, 1);
    },
  },
  {
    // Viewers share the bytes of a frame: each has its times written into them right before they are sent.
    name: "ServerSocket.send() has copied the bytes when it returns",
    async run(runtime) {
      const marks: number[] = [];
      await using both = await socketPair(runtime, (socket) => {
        socket.onMessage = () => {
          const shared = new Uint8Array(900_000);
          for (let mark = 1; mark <= 20; mark++) {
            shared.fill(mark);
            socket.send(shared);
          }
          shared.fill(99);
        };
      });
      both.client.addEventListener("message", ({ data }) => {
        const bytes = new Uint8Array(data);
        marks.push(bytes.every((byte) => byte === bytes[0]) ? bytes[0]! : -1);
      });
      both.client.send("go");
      await until(() => marks.length === 20, "received");
      assert.deepEqual(marks, Array.from({ length: 20 }, (_, i) => i + 1));
      both.client.close();
      await both.closed;
    },
  },
  {
    name: "ServerSocket.bufferedAmount says when a client takes nothing, and when all is gone",
    async run(runtime) {
      let own: ServerSocket | undefined;
      let ends = 0;
      const http = serve(runtime, (request) => {
        const { response, socket } = runtime.upgradeWebSocket(request);
        own = socket;
        socket.onClose = () => ends++;
        return response;
      });
      const client = await runtime.connectTcp(http.server.address);
      const head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
      await runtime.writeAll(client, new TextEncoder().encode(head));
      const buffer = new Uint8Array(1 << 18);
      const count = await client.read(buffer);
      assert.match(
        new TextDecoder().decode(buffer.subarray(0, count!)),
        /^HTTP\/1\.1 101 .*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s,
      );
      await until(() => own!.isOpen, "opened");
      const piece = new Uint8Array(1 << 20);
      let sent = 0;
      for (; own!.bufferedAmount === 0 && sent < 64; sent++) {
        own!.send(piece);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.ok(own!.bufferedAmount > 0, "64 MB were taken by nobody");
      for (let left = sent * (piece.length + 10); left > 0;) left -= (await client.read(buffer))!;
      await until(() => own!.bufferedAmount === 0, "drained");
      client.close();
      await until(() => ends === 1, "ended");
      await http.server.close();
    },
  },
];
