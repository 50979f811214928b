/** WebRTC sources that only a TURN server leads to (coturn), and what remains there. */
import assert from "node:assert/strict";
import { openLan } from "../support/lan.ts";
import { needs, type Program, run, start } from "../support/programs.ts";
import { startServer, until } from "../support/server.ts";
import { startRtcServer } from "./webrtc_peer.ts";

const LOGIN = { username: "anna", credential: "p@ss" } as const;

/** A TURN server by UDP, TCP and TLS at an address that is nobody else's, with all that it logs. */
interface Coturn extends AsyncDisposable {
  log(): string;
}

async function startCoturn(host: string): Promise<Coturn> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-turn-" });
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=turn"];
  const { code, output } = await run("openssl", ["req", "-x509", ...ec, "-keyout", key, "-out", cert]);
  assert.equal(code, 0, output);
  const program = start("turnserver", [
    ...["-n", "--no-cli", "--log-file=stdout", "-v", `--pidfile=${folder}/pid`, `--userdb=${folder}/users`],
    ...[`--listening-ip=${host}`, "--listening-port=3478", "--tls-listening-port=5349", "--no-dtls"],
    ...["--relay-ip=127.0.0.1", "--allow-loopback-peers", `--cert=${cert}`, `--pkey=${key}`],
    ...["--lt-cred-mech", "--realm=test", `--user=${LOGIN.username}:${LOGIN.credential}`, "--stale-nonce=1"],
  ]);
  const log = collect(program);
  await until(() => /UDP listener opened/.test(log()), 10_000);
  return {
    log,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function collect({ stdout }: Program): () => string {
  let text = "";
  (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stdout) text += decoder.decode(chunk, { stream: true });
  })();
  return () => text;
}

interface Shown {
  readonly stream: string;
  readonly path?: string;
  readonly local?: string;
  readonly rtt_ms?: number;
}

Deno.test(
  await needs("Sources play by way of coturn where nothing else leads to the server", "coturn", "netns", "ffmpeg"),
  async () => {
    await using lan = await openLan();
    await using turn = await startCoturn(lan.host);
    // Its loopback is not that of the namespace: peers there reach it by the relay alone.
    await using far = await startRtcServer('streams:\n  demo: "demo:"\n', { host: lan.host }, 'listen: "127.0.0.1:0"');
    const servers = (url: string) => JSON.stringify([{ urls: url, ...LOGIN }]);
    const [tcp, tls] = [`turn:${lan.host}?transport=tcp`, `turns:${lan.host}`];
    await using near = await startServer({
      namespace: lan.namespace,
      host: lan.peer,
      config: `webrtc:
  listen: ""
  ice_servers: ${servers(`turn:${lan.host}`)}
streams:
  udp: "webrtc:http://${far.api}/api/webrtc?src=demo"
  tcp: 'webrtc:ws://${far.api}/api/ws?src=demo#ice_servers=${servers(tcp)}'
  tls: 'webrtc:ws://${far.api}/api/ws?src=demo#ice_servers=${servers(tls)}'
`,
    });
    const names = ["udp", "tcp", "tls"];
    const players = names.map((name) =>
      start("ffmpeg", [
        ...["-v", "error", "-rtsp_transport", "tcp", "-i", `rtsp://${near.rtsp}/${name}`],
        ...["-frames:v", "60", "-f", "null", "-"],
      ])
    );
    await using stack = new AsyncDisposableStack();
    for (const player of players) stack.use(player);
    const sources = await until(async () => {
      const shown = (await near.json<{ sources: Shown[] }>("/api/webrtc/stats")).sources;
      return shown.filter(({ rtt_ms }) => rtt_ms !== undefined).length === names.length && shown;
    }, 15_000);
    for (const { path, local } of sources) {
      assert.equal(local, "relay");
      assert.match(path!, /^udp 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ host$/);
    }
    for (const player of players) assert.equal((await player.status).code, 0, player.errors());
    await near.stop();
    const count = (what: RegExp) => turn.log().match(what)?.length ?? 0;
    assert.equal(count(/ALLOCATE processed, success/g), names.length);
    await until(() => count(/refreshed, .*lifetime=0/g) === names.length);
    assert.ok(count(/438: Stale nonce/g) > 0);
  },
);
