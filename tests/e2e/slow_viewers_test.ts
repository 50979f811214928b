/** Viewers that read nothing cost nothing, delay nobody, are counted, and are closed in the end. */
import assert from "node:assert/strict";
import { needs, run } from "../support/programs.ts";
import { type Server, startServer, until } from "../support/server.ts";
import { publish } from "./cameras.ts";
import { MseClient } from "./mse_client.ts";

const encoder = new TextEncoder();

async function send(conn: Deno.Conn, text: string): Promise<void> {
  await conn.write(encoder.encode(text));
}

/** Reads until a line that is empty: the head of an answer. */
async function readHead(conn: Deno.Conn): Promise<string> {
  let text = "";
  const byte = new Uint8Array(1);
  while (!text.endsWith("\r\n\r\n")) {
    if (await conn.read(byte) === null) throw new Error(`The server closed after ${text}`);
    text += String.fromCharCode(byte[0]!);
  }
  return text;
}

async function connect(address: string): Promise<Deno.Conn> {
  const [hostname, port] = address.split(":");
  return await Deno.connect({ hostname: hostname!, port: Number(port) });
}

/** Asks for the stream over RTSP and reads no byte of it. */
async function stallRtsp({ rtsp }: Server): Promise<Deno.Conn> {
  const conn = await connect(rtsp);
  const url = `rtsp://${rtsp}/cam?video`;
  await send(conn, `DESCRIBE ${url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n`);
  const length = Number(/content-length: (\d+)/i.exec(await readHead(conn))![1]);
  for (let rest = length; rest > 0;) rest -= (await conn.read(new Uint8Array(rest)))!;
  await send(
    conn,
    `SETUP ${url}/trackID=0 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n`,
  );
  const session = /session: ([^;\r]+)/i.exec(await readHead(conn))![1];
  await send(conn, `PLAY ${url} RTSP/1.0\r\nCSeq: 3\r\nSession: ${session}\r\n\r\n`);
  return conn;
}

/** Asks for MSE over a WebSocket and reads no byte of it. */
async function stallSocket({ api }: Server): Promise<Deno.Conn> {
  const conn = await connect(api);
  const key = btoa("0123456789abcdef");
  const head = `GET /api/ws?src=cam HTTP/1.1\r\nHost: ${api}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
  await send(conn, `${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  assert.match(await readHead(conn), /^HTTP\/1.1 101 /);
  const message = encoder.encode('{"type":"mse","value":"avc1.640029"}');
  // A text message whose mask is zero.
  await conn.write(Uint8Array.of(0x81, 0x80 | message.length, 0, 0, 0, 0, ...message));
  return conn;
}

/** Asks for an endless file and reads no byte of it. */
async function stallFile({ api }: Server): Promise<Deno.Conn> {
  const conn = await connect(api);
  await send(conn, `GET /api/stream.mp4?src=cam HTTP/1.1\r\nHost: ${api}\r\n\r\n`);
  assert.match(await readHead(conn), /^HTTP\/1.1 200 /);
  return conn;
}

interface Viewer {
  readonly id: number;
  readonly format_name: string;
  readonly skips?: number;
  readonly senders: readonly { readonly drops?: number }[];
}

async function viewers(server: Server): Promise<Viewer[]> {
  return (await server.json<{ consumers: Viewer[] }>("/api/streams?src=cam")).consumers;
}

async function memoryMb({ pid }: Server): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await Deno.readTextFile(`/proc/${pid}/status`))![1]) / 1024;
}

/** Two seconds of 16 Mbit/s, which fill the buffers of the system soon. */
async function makeNoise(path: string): Promise<void> {
  const { code, output } = await run("ffmpeg", [
    ...["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25,noise=alls=90:allf=t"],
    ...[
      "-t",
      "2",
      "-c:v",
      "libx264",
      "-preset",
      "ultrafast",
      "-tune",
      "zerolatency",
      "-pix_fmt",
      "yuv420p",
      "-g",
      "25",
    ],
    ...["-b:v", "16M", "-maxrate", "16M", "-bufsize", "2M", path],
  ]);
  assert.equal(code, 0, output);
}

/** Each kind stands there so many times. */
const EACH = 4;

Deno.test({
  ...await needs("Viewers that read nothing cost nothing, are counted, and are closed in the end", "ffmpeg"),
  async fn() {
    const clip = await Deno.makeTempFile({ suffix: ".mp4" });
    await makeNoise(clip);
    await using server = await startServer({ config: "streams:\n  cam:\n" });
    const input = ["-re", "-stream_loop", "-1", "-i", clip];
    await using _ = publish(`rtsp://${server.rtsp}/cam`, { input, codecs: ["-c", "copy"] });
    await until(async () => (await server.fetch("/api/frame.mp4?src=cam")).ok);
    await using good = new MseClient(server.api, "src=cam");
    // The log is full, and what the first viewer needed is loaded.
    await good.more(75);
    const before = await memoryMb(server);

    const stalled: Deno.Conn[] = [];
    for (let i = 0; i < EACH; i++) {
      stalled.push(await stallRtsp(server), await stallSocket(server), await stallFile(server));
    }
    const startedMs = performance.now();
    const from = good.pieces.length;
    const isCounted = ({ skips, senders }: Viewer) => (skips ?? 0) > 0 && senders.some(({ drops }) => (drops ?? 0) > 0);
    await until(async () => (await viewers(server)).filter(isCounted).length === EACH * 3, 14_000);
    const during = await memoryMb(server);
    assert.ok(during - before < 40, `memory went from ${before} to ${during} MB`);

    // All are closed 15 s after the last byte that they took; the one that reads goes on.
    await until(async () => (await viewers(server)).length === 1, 20_000);
    const tookMs = performance.now() - startedMs;
    const seconds = tookMs / 1000;
    const rate = (good.pieces.length - from) / seconds;
    assert.ok(Math.abs(rate - 25) < 1.5, `the other viewer had ${rate} pictures a second`);
    const pauses = good.pieces.slice(from + 1).map(({ atMs }, i) => atMs - good.pieces[from + i]!.atMs);
    const longest = pauses.sort((a, b) => a - b)[Math.floor(pauses.length * 0.99)]!;
    assert.ok(longest < 150, `one picture in a hundred came ${longest} ms after the one before`);
    const [viewer] = await viewers(server);
    assert.deepEqual([viewer!.format_name, viewer!.skips], ["mse/fmp4", undefined]);
    for (const conn of stalled) conn.close();
    await Deno.remove(clip);
  },
});
