import assert from "node:assert/strict";
import { Access } from "../../access/access.ts";
import { type AccessSettings, defaultAccessSettings } from "../../access/settings.ts";
import { adminPrincipal, userPrincipal } from "../../access/principals.ts";
import type { Principal } from "../../access/types.ts";
import type { ServerSocket } from "../../runtime/types.ts";
import type { ApiSocket } from "../plugin.ts";
import { silentLogger } from "../testing.ts";
import { ApiSockets } from "./sockets.ts";

class FakeSocket implements ServerSocket {
  bufferedAmount = 0;
  isOpen = true;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  readonly sent: string[] = [];
  code = 0;
  send(message: string | Uint8Array): void {
    this.sent.push(message as string);
  }
  close(code = 1000): void {
    this.code = code;
    this.isOpen = false;
    this.onClose?.();
  }
  say(type: string, value?: unknown): void {
    this.onMessage!(JSON.stringify({ type, value }));
  }
}

const UPGRADE = {
  connection: "keep-alive, Upgrade",
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

function setUp(settings: Partial<AccessSettings> = {}) {
  const socket = new FakeSocket();
  const sockets = new ApiSockets({
    access: new Access({ ...defaultAccessSettings, ...settings }),
    log: silentLogger,
    mask: (text) => text.replaceAll("hunter2", "***"),
    upgrade: () => ({ response: new Response("switched"), socket }),
  });
  const connect = (
    query = "",
    headers: Record<string, string> = {},
    principal: Principal = adminPrincipal("a", false),
  ) => {
    const request = new Request(`http://cam:1984/api/ws?${query}`, {
      headers: { ...UPGRADE, host: "cam:1984", ...headers },
    });
    const url = new URL(request.url);
    const peer = { host: "10.0.0.1", port: 1, transport: "tcp" } as const;
    return sockets.serve({ request, url, query: url.searchParams, principal, peer, remoteAddr: "10.0.0.1:1" });
  };
  return { socket, sockets, connect };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("ApiSockets hands messages to who registered their type", async () => {
  const { socket, sockets, connect } = setUp();
  sockets.add("mse", { needs: "watch", summary: "" }, (value, one) => {
    one.send("mse", `got ${value} for ${one.query.get("src")}`);
    one.send("mjpeg", "");
  }, "mp4");
  connect("src=yard");
  socket.say("mse", "avc1");
  socket.say("nobody", 1);
  await settled();
  assert.deepEqual(socket.sent, ['{"type":"mse","value":"got avc1 for yard"}', '{"type":"mjpeg"}']);
  assert.ok(socket.isOpen);
});

Deno.test("ApiSockets tells errors under the message's type and stays open", async () => {
  const { socket, sockets, connect } = setUp();
  sockets.add(
    "mse",
    { needs: "watch", summary: "" },
    () => Promise.reject(new Error("rtsp://hunter2 not found")),
    "mp4",
  );
  sockets.add("hls", { needs: "watch", summary: "" }, () => {
    throw new Error("stream not found");
  }, "hls");
  connect();
  socket.say("mse");
  socket.say("hls");
  await settled();
  assert.deepEqual(socket.sent.sort(), [
    '{"type":"error","value":"hls: stream not found"}',
    '{"type":"error","value":"mse: rtsp://*** not found"}',
  ]);
  assert.ok(socket.isOpen);
});

Deno.test("ApiSockets checks each message against the stream that the query means at that moment", async () => {
  const { socket, sockets, connect } = setUp();
  let calls = 0;
  sockets.add("mse", { needs: "watch", summary: "" }, () => void calls++, "mp4");
  sockets.add("webrtc/offer", { needs: "publish", summary: "" }, () => void calls++, "webrtc");
  connect("src=bed", {}, userPrincipal({ name: "anna", password: "", cameras: ["yard"] }, false));
  socket.say("mse");
  socket.say("webrtc/offer");
  await settled();
  assert.equal(calls, 0);
  assert.equal(socket.sent.length, 2);
  assert.match(socket.sent[0]!, /"mse: This needs the right to watch the camera, which user anna does not have"/);
});

Deno.test("ApiSockets closes on what is no JSON, on long messages and on floods", async () => {
  const cases: readonly [number, (socket: FakeSocket) => void][] = [
    [1003, (socket) => socket.onMessage!("hello")],
    [1009, (socket) => socket.onMessage!(JSON.stringify("x".repeat(300 << 10)))],
    [1008, (socket) => {
      for (let i = 0; i < 40; i++) socket.say("slow");
    }],
  ];
  for (const [code, act] of cases) {
    const { socket, sockets, connect } = setUp();
    sockets.add(
      "slow",
      { needs: "watch", summary: "" },
      (_, one) => new Promise((resolve) => one.signal.addEventListener("abort", () => resolve())),
      "x",
    );
    connect();
    act(socket);
    assert.equal(socket.code, code);
    assert.equal(sockets.size, 0);
    await settled();
  }
  const { socket, connect } = setUp();
  connect();
  for (const odd of ["null", "1", "[]", '{"type":5}', '"x"']) socket.onMessage!(odd);
  socket.onMessage!(new Uint8Array(3));
  assert.equal(socket.code, 0);
});

Deno.test("ApiSockets undoes what a socket's handlers left, in reverse", () => {
  const { socket, sockets, connect } = setUp();
  const order: number[] = [];
  let kept: ApiSocket | undefined;
  sockets.add("mse", { needs: "watch", summary: "" }, (_, one) => {
    kept = one;
    one.defer(() => order.push(1));
    one.defer(() => {
      throw new Error("broken");
    });
    one.defer(() => order.push(2));
  }, "mp4");
  connect();
  socket.say("mse");
  sockets.close();
  assert.deepEqual(order, [2, 1]);
  assert.equal(socket.code, 1001);
  assert.ok(kept!.signal.aborted);
  kept!.defer(() => order.push(3));
  assert.deepEqual(order, [2, 1, 3]);
});

Deno.test("ApiSockets lets pages of other sites in only where any origin may ask", () => {
  const table: readonly [string, string, string, number][] = [
    ["", "http://cam:1984", "cam:1984", 200],
    ["", "http://cam:8123", "cam", 200],
    ["", "http://evil.com", "cam:1984", 403],
    ["", "null", "cam:1984", 403],
    ["*", "http://evil.com", "cam:1984", 200],
    ["http://evil.com", "http://evil.com", "cam:1984", 403],
  ];
  for (const [origin, from, host, status] of table) {
    const { connect } = setUp({ api: { ...defaultAccessSettings.api, origin } });
    assert.equal(connect("", { origin: from, host }).status, status, `${origin} ${from}`);
  }
  const { sockets } = setUp();
  const request = new Request("http://cam/api/ws");
  const url = new URL(request.url);
  const peer = { host: "10.0.0.1", port: 1, transport: "tcp" } as const;
  const plain = { request, url, query: url.searchParams, principal: adminPrincipal("a", false), peer, remoteAddr: "" };
  assert.equal(sockets.serve(plain).status, 400);
});

Deno.test("ApiSockets refuses what is no upgrade that it can answer", () => {
  const { connect } = setUp();
  assert.equal(connect("", { "sec-websocket-key": "" }).status, 400);
  assert.equal(connect("", { connection: "close" }).status, 400);
  const older = connect("", { "sec-websocket-version": "8" });
  assert.deepEqual([older.status, older.headers.get("sec-websocket-version")], [426, "13"]);
});

Deno.test("ApiSockets names both plugins that claim a message", () => {
  const { sockets } = setUp();
  const undo = sockets.add("mse", { needs: "watch", summary: "" }, () => {}, "one");
  assert.throws(() => sockets.add("mse", { needs: "watch", summary: "" }, () => {}, "two"), /plugins "one" and "two"/);
  undo();
  sockets.add("mse", { needs: "watch", summary: "" }, () => {}, "two");
  assert.deepEqual(sockets.types().map(({ owner }) => owner), ["two"]);
});
