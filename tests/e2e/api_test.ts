/** The HTTP API and the WebSocket in the shapes that existing clients know (contract §3.1 to §3.8, §4). */
import assert from "node:assert/strict";
import { type Server, startServer, until } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(server: Server, method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await server.fetch(path, { method, redirect: "manual", ...init });
  const text = await response.text();
  return { status: response.status, type: response.headers.get("content-type") ?? "", text, headers: response.headers };
}

/** Asks, and asserts an error: a status and a text. */
async function refused(server: Server, method: string, path: string, status: number, text: RegExp): Promise<void> {
  const answer = await ask(server, method, path);
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  assert.match(answer.text, text);
  assert.equal(answer.type, "text/plain; charset=utf-8");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
}

interface Connection {
  readonly id: number;
  readonly url?: string;
  readonly format_name: string;
  readonly protocol?: string;
  readonly remote_addr?: string;
  readonly medias: string[];
  readonly receivers?: {
    id: number;
    codec: Record<string, unknown>;
    childs?: number[];
    bytes: number;
    packets: number;
  }[];
  readonly senders?: { id: number; codec: Record<string, unknown>; parent: number; bytes: number; packets: number }[];
  readonly bytes_recv?: number;
  readonly bytes_send?: number;
}

interface Stream {
  readonly producers: Connection[];
  readonly consumers: Connection[];
}

const CONFIG = 'streams:\n  cam: "demo:"\n  empty:\n  fill: "demo:{input}"\n';

Deno.test("GET /api tells version, config, RTSP listener and host", async () => {
  await using server = await startServer({ config: CONFIG });
  const { status, type, text } = await ask(server, "GET", "/api");
  assert.equal(status, 200);
  assert.equal(type, "application/json");
  assert.match(text, /"default_query":"video\\u0026audio"/);
  assert.ok(text.endsWith("}\n"));
  const { config_path, host, version, rtsp, revision } = JSON.parse(text);
  assert.deepEqual({ config_path, host, version }, {
    config_path: server.configPath,
    host: server.api,
    version: "1.9.14",
  });
  assert.equal(rtsp.default_query, "video&audio");
  assert.match(rtsp.listen, /^127\.0\.0\.1:\d+$/);
  assert.equal(typeof revision, "string");
});

Deno.test("GET /api/streams has the shape that clients read", async () => {
  await using server = await startServer({ config: CONFIG });
  const idle = await ask(server, "GET", "/api/streams");
  assert.ok(!idle.text.trim().includes("\n"));
  const all = JSON.parse(idle.text) as Record<string, Stream>;
  assert.deepEqual(Object.keys(all), ["cam", "empty", "fill"]);
  assert.deepEqual(all.empty, { producers: [], consumers: [] });
  assert.deepEqual([all.cam!.producers[0]!.url, all.fill!.producers[0]!.url], ["demo:", ""]);

  await using viewer = new MseClient(server.api, "src=cam");
  await viewer.more(10);
  const one = await ask(server, "GET", "/api/streams?src=cam");
  assert.match(one.text, /^\{\n {2}"producers": \[\n/);
  const { producers: [producer], consumers: [consumer] } = JSON.parse(one.text) as Stream;
  assert.deepEqual([producer!.format_name, producer!.url], ["demo", "demo:"]);
  assert.deepEqual(producer!.medias, ["video, recvonly, H264", "audio, recvonly, MPEG4-GENERIC/48000/2"]);
  assert.ok(producer!.bytes_recv! > 0 && consumer!.bytes_send! > 0);
  const [video, audio] = producer!.receivers!;
  const { codec_name, codec_type, profile, level } = video!.codec;
  assert.deepEqual([codec_name, codec_type, profile, typeof level], ["h264", "video", "Main", "number"]);
  assert.deepEqual(audio!.codec, { channels: 2, codec_name: "aac", codec_type: "audio", sample_rate: 48000 });
  assert.deepEqual([consumer!.format_name, consumer!.protocol], ["mse/fmp4", "ws"]);
  assert.match(consumer!.remote_addr!, /^127\.0\.0\.1:\d+$/);
  assert.match(consumer!.medias[0]!, /^video, sendonly, H264/);
  for (const [i, sender] of consumer!.senders!.entries()) {
    const receiver = producer!.receivers![i]!;
    assert.equal(sender.parent, receiver.id);
    assert.ok(receiver.childs!.includes(sender.id));
    assert.ok(sender.packets > 0 && sender.bytes > 0 && receiver.packets > 0 && receiver.bytes > 0);
  }
  const ids = [producer!, consumer!, ...producer!.receivers!, ...consumer!.senders!].map(({ id }) => id);
  assert.equal(new Set(ids).size, 6);
  await refused(server, "GET", "/api/streams?src=none", 404, /^stream not found\n$/);
});

Deno.test("/api/streams shows neither logins nor the values of variables", async () => {
  const source = "rtsp://me:mine@127.0.0.1:1/hall?key=${KEY}&port=${PORT:1}";
  await using server = await startServer({
    config: `env: {KEY: '999983'}\nstreams:\n  hall: ${source}\n  cam: "demo:"\n`,
  });
  await using viewer = new MseClient(server.api, "src=cam");
  await viewer.more(5);
  const shown = "rtsp://***@127.0.0.1:1/hall?key=***&port=1";
  const all = JSON.parse((await ask(server, "GET", "/api/streams")).text) as Record<string, Stream>;
  assert.equal(all.hall!.producers[0]!.url, shown);
  // Numbers stay numbers, whatever digits they have.
  assert.equal(typeof all.cam!.producers[0]!.bytes_recv, "number");
  const hall = JSON.parse((await ask(server, "GET", "/api/streams?src=hall")).text) as Stream;
  assert.equal(hall.producers[0]!.url, shown);
  assert.doesNotMatch((await ask(server, "GET", "/api/streams.dot")).text, /mine|999983/);
});

Deno.test("Addresses are shown as clients know them, on a listener for IPv4 and IPv6 too", async () => {
  await using server = await startServer({
    isBare: true,
    config: 'api: {listen: ":0"}\nrtsp: {listen: ""}\nwebrtc: {listen: ""}\nstreams: {cam: "demo:"}\n',
  });
  await using viewer = new MseClient(server.api, "src=cam");
  await viewer.more(5);
  const { consumers: [consumer] } = await server.json<Stream>("/api/streams?src=cam");
  assert.match(consumer!.remote_addr!, /^127\.0\.0\.1:\d+$/);
});

Deno.test("GET /api/streams with a codec filter dials the sources and shows the probe", async () => {
  await using camera = await startServer({ config: CONFIG });
  const source = `rtsp://user:secret@${camera.rtsp}/cam`;
  await using server = await startServer({ config: `streams:\n  cam: "${source}"\n` });
  const probe = await ask(server, "GET", "/api/streams?src=cam&video=all&audio=all&microphone");
  assert.equal(probe.status, 200);
  const { producers: [producer], consumers } = JSON.parse(probe.text) as Stream;
  assert.equal(consumers[0]!.format_name, "probe");
  assert.equal(producer!.protocol, "rtsp+tcp");
  assert.equal(producer!.remote_addr, camera.rtsp);
  assert.equal(producer!.url, `rtsp://***@${camera.rtsp}/cam`);
  assert.deepEqual(producer!.medias, ["video, recvonly, H264", "audio, recvonly, MPEG4-GENERIC/48000/2"]);
  await until(async () => (await server.json<Stream>("/api/streams?src=cam")).consumers.length === 0);
  await refused(
    server,
    "GET",
    "/api/streams?src=cam&video=vp9",
    500,
    /^streams: codecs not matched: .*H264.* => .*VP9/,
  );
  assert.doesNotMatch(server.output(), /secret/);
});

Deno.test("PUT, PATCH and DELETE /api/streams change the table, and the config where they should", async () => {
  await using server = await startServer({ config: CONFIG });
  const config = () => Deno.readTextFile(server.configPath);
  const ok = async (method: string, path: string) => {
    assert.deepEqual(await ask(server, method, path).then(({ status, text }) => [status, text]), [200, ""]);
  };
  await ok("PUT", "/api/streams?name=new&src=demo:&src=rtsp://127.0.0.1:9/x");
  assert.match(await config(), /new:\n {4}- ["']?demo:["']?\n {4}- rtsp:\/\/127\.0\.0\.1:9\/x\n/);
  await ok("PUT", "/api/streams?src=rtsp://127.0.0.1:9/nameless");
  const { producers } = await server.json<Stream>("/api/streams?src=rtsp://127.0.0.1:9/nameless");
  assert.equal(producers[0]!.url, "rtsp://127.0.0.1:9/nameless");
  await ok("PATCH", "/api/streams?name=alias&src=cam");
  await ok("PATCH", "/api/streams?name=patched&src=demo:");
  assert.doesNotMatch(await config(), /alias|patched/);
  await ok("DELETE", "/api/streams?src=new");
  assert.doesNotMatch(await config(), /new:/);
  await refused(server, "GET", "/api/streams?src=new", 404, /^stream not found\n$/);

  await refused(server, "PUT", "/api/streams?name=x&src=nonsense:1", 400, /^streams: source not supported\n$/);
  await refused(
    server,
    "PUT",
    "/api/streams?name=x&src=demo:%20-i%20x",
    400,
    /^streams: source with spaces may be insecure\n$/,
  );
  await refused(server, "PATCH", "/api/streams?src=demo:", 400, /name/);
  for (const method of ["PUT", "DELETE"]) {
    assert.ok(
      "cam" in JSON.parse((await ask(server, method, "/api/streams")).text),
      `${method} without src answers the list`,
    );
  }
  await refused(server, "POST", "/api/streams?src=cam", 400, /dst/);
  await refused(server, "POST", "/api/streams?src=none&dst=rtsp://127.0.0.1:9/x", 404, /^stream not found\n$/);
});

Deno.test("/api/streams.dot draws who is connected to what", async () => {
  await using server = await startServer({ config: CONFIG });
  await using viewer = new MseClient(server.api, "src=cam");
  await viewer.more(5);
  const { type, text } = await ask(server, "GET", "/api/streams.dot");
  assert.equal(type, "text/vnd.graphviz");
  assert.match(text, /^digraph \{[\s\S]*\}\s*$/);
  assert.match(text, /\[group=producer, label="demo"/);
  assert.match(text, /\[group=consumer, label="mse\/fmp4"/);
  assert.match(text, /\d+ -> \d+ \[label="[\d.]+ [KM]?B"\]/);
  assert.match(text, /127\.0\.0\.1 \[group=host\]|"127\.0\.0\.1" \[group=host\]/);
});

Deno.test("/api/preload keeps a stream connected and saves that", async () => {
  await using server = await startServer({ config: CONFIG });
  assert.deepEqual(await server.json("/api/preload"), {});
  assert.equal((await ask(server, "PUT", "/api/preload?src=cam&video=h264&video_codec_filter=x")).status, 200);
  const list = await server.json<Record<string, { query: string; consumer: Connection }>>("/api/preload");
  assert.deepEqual([list.cam!.query, list.cam!.consumer.format_name], ["video=h264", "preload"]);
  assert.match(await Deno.readTextFile(server.configPath), /preload:\n {2}cam: ["']?video=h264/);
  const { producers } = await server.json<Stream>("/api/streams?src=cam");
  assert.ok(producers[0]!.id > 0, "the source runs");
  assert.equal((await ask(server, "DELETE", "/api/preload?src=cam")).status, 200);
  assert.doesNotMatch(await Deno.readTextFile(server.configPath), /cam: ["']?video/);
  await refused(server, "DELETE", "/api/preload?src=cam", 500, /^streams: preload not found: cam\n$/);
  await refused(server, "PUT", "/api/preload?src=none", 500, /not found/);
  assert.equal((await ask(server, "POST", "/api/preload")).status, 405);
});

Deno.test("/api/schemes, /api/log and /api/exit answer as clients expect", async () => {
  await using server = await startServer({ config: CONFIG });
  const schemes = await server.json<string[]>("/api/schemes");
  for (const scheme of ["rtsp", "rtsps", "rtspx", "demo"]) assert.ok(schemes.includes(scheme), scheme);
  assert.equal(new Set(schemes).size, schemes.length);
  const log = await ask(server, "GET", "/api/log");
  assert.equal(log.type, "application/jsonlines");
  const lines = log.text.trim().split("\n").map((line) => JSON.parse(line));
  const listen = lines.find(({ message }) => message === "[api] listen");
  assert.deepEqual([listen.level, listen.addr, typeof listen.time], ["info", server.api, "number"]);
  assert.equal((await ask(server, "DELETE", "/api/log")).text, "OK");
  assert.equal((await ask(server, "GET", "/api/log")).text.trim(), "");
  await refused(server, "POST", "/api/exit?code=126", 400, /^Code must be in the range \[0, 125\]\n$/);
});

Deno.test("/api/config reads, replaces and merges the file", async () => {
  await using server = await startServer({ config: CONFIG });
  const before = await Deno.readTextFile(server.configPath);
  const got = await ask(server, "GET", "/api/config");
  assert.deepEqual([got.status, got.type, got.text], [200, "application/yaml", before]);
  const merged = await ask(server, "PATCH", "/api/config", { body: '{"streams": {"more": "demo:"}}' });
  assert.deepEqual([merged.status, merged.text], [200, ""]);
  assert.match(await Deno.readTextFile(server.configPath), /more: ["']?demo:/);
  const replaced = await ask(server, "POST", "/api/config", { body: before });
  assert.deepEqual([replaced.status, await Deno.readTextFile(server.configPath)], [200, before]);
  assert.equal((await ask(server, "POST", "/api/config", { body: "a: [" })).status, 500);
  assert.equal((await ask(server, "PATCH", "/api/config", { body: "a: [" })).status, 400);
  assert.equal(await Deno.readTextFile(server.configPath), before);
});
