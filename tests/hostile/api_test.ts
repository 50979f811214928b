/** What somebody sends to the API who wishes it no good. */
import assert from "node:assert/strict";
import { startServer, until } from "../support/server.ts";
import { exchange, httpRequest, RawClient, statusOf, wsFrame, wsRequest } from "../support/raw.ts";

/** A source that would run commands: says so when it is opened. */
const DANGEROUS = `export default {
  name: "danger", api: 1,
  setup(ctx) {
    ctx.source("danger", {
      trusted: true,
      open: ({ url }) => {
        ctx.log.info("ran a command", { url });
        throw new Error("nothing to see");
      },
    });
  },
};`;

/** A plugin that wishes to be somewhere else. */
const MISNAMED = `export default { name: "../../evil", api: 1, setup() {} };`;

async function withPlugins(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-plugins-" });
  try {
    await Deno.writeTextFile(`${folder}/danger.ts`, DANGEROUS);
    await Deno.writeTextFile(`${folder}/misnamed.ts`, MISNAMED);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("The API sets no source that runs commands, by whatever way it comes", async () => {
  await withPlugins(async (folder) => {
    const config = 'streams:\n  cam: "demo:"\n  own: "danger:config"\n';
    await using server = await startServer({ config, args: ["--plugins", folder] });
    const { api } = server;
    const src = encodeURIComponent("danger:id");
    const attempts: readonly [string, string, RegExp][] = [
      ["PUT", `/api/streams?name=a&src=${src}`, /insecure producer/],
      ["PATCH", `/api/streams?name=cam&src=${src}`, /insecure producer/],
      ["POST", `/api/streams?dst=cam&src=${src}`, /insecure producer/],
      ["GET", `/api/stream.mp4?src=${src}`, /insecure producer/],
      ["GET", `/api/stream.mp4?name=cam&src=${src}`, /insecure producer/],
      ["PUT", `/api/streams?name=a&src=${encodeURIComponent("demo: -vf x")}`, /spaces may be insecure/],
    ];
    for (const [method, path, text] of attempts) {
      const answer = await exchange(api, httpRequest(method, path, { Host: api }));
      assert.equal(statusOf(answer), 400, `${method} ${path}: ${answer}`);
      assert.match(answer, text);
    }
    const socket = wsRequest(`/api/ws?src=${src}`, { Host: api });
    using client = await RawClient.connect(api);
    await client.write(socket);
    await client.write(wsFrame('{"type":"mse"}'));
    assert.match(await client.until(/"error"/), /insecure producer/);
    for (const body of ["streams: {b: 'danger:id'}", "env: {X: 'danger:id'}\nstreams: {b: '${X}'}"]) {
      const answer = await exchange(api, httpRequest("PATCH", "/api/config", { Host: api }, body));
      assert.equal(statusOf(answer), 409, answer);
      assert.match(answer, /"streams\.b": to decide who may do what/);
      assert.equal(statusOf(await exchange(api, httpRequest("GET", "/api/streams?src=b", { Host: api }))), 404);
    }
    assert.doesNotMatch(server.output(), /ran a command/);
    // The config file may.
    await (await server.fetch("/api/streams?src=own&video")).text();
    await server.line(/\[danger\] ran a command url=danger:config/);
    assert.match(server.output(), /Plugin name "..\/..\/evil" must be lower-case letters/);
  });
});

Deno.test("A source's address that leads back to this server makes nobody its owner", async () => {
  const users = `access:
  users:
    - {name: eve, password: pw, role: operator, cameras: [front]}
streams: {front: "demo:", back: "demo:"}
`;
  await using server = await startServer({ config: users });
  const { api, rtsp } = server;
  const back = `http://${api}/api/exit`;
  // A WHEP server that sends its clients on.
  await using evil = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const isSession = request.method === "POST" && request.url.endsWith("/session");
    if (!isSession) return new Response(null, { status: 307, headers: { location: back } });
    return new Response("v=0", { status: 201, headers: { location: back } });
  });
  const login = { Host: api, Authorization: `Basic ${btoa("eve:pw")}` };
  const led = [
    `webrtc:http://127.0.0.1:${evil.addr.port}/x`,
    `webrtc:http://127.0.0.1:${evil.addr.port}/session`,
    `webrtc:${back}`,
    `webrtc:ws://${api}/api/ws?src=back`,
    `rtsp://${rtsp}/back`,
    `rtsp://localhost:${rtsp.split(":")[1]}/back`,
  ];
  for (const source of led) {
    const put = httpRequest("PUT", `/api/streams?name=front&src=${encodeURIComponent(source)}`, login);
    assert.equal(statusOf(await exchange(api, put)), 200);
    const seen = await exchange(api, httpRequest("GET", "/api/frame.mp4?src=front", login));
    assert.equal(statusOf(seen), 500, `${source}: ${seen.slice(0, 200)}`);
  }
  assert.equal(statusOf(await exchange(api, httpRequest("GET", "/api/streams", login))), 200);
});

Deno.test("The API leads to no file outside its folder, and to no module outside its list", async () => {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-static-" });
  try {
    await Deno.mkdir(`${folder}/pages`);
    await Deno.writeTextFile(`${folder}/pages/index.html`, "page");
    await Deno.writeTextFile(`${folder}/pages/.hidden`, "secret");
    await Deno.writeTextFile(`${folder}/secret`, "secret");
    const config = `api:\n  listen: "127.0.0.1:0"\n  static_dir: "${folder}/pages"\nrtsp:\n  listen: "127.0.0.1:0"\n` +
      'app:\n  modules: [api, rtsp, "../../../../etc/passwd", "../danger"]\n';
    await using server = await startServer({ isBare: true, config });
    const api = `127.0.0.1:${/\[api\] listen addr=\S+:(\d+)/.exec(await server.line(/\[api\] listen/))![1]}`;
    const paths = [
      ...["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret", "/..\\secret", "/%5c..%5csecret"],
      ...["//secret", `/${folder}/secret`, `/file://${folder}/secret`, "/.hidden", "/%2ehidden", "/secret%00.html"],
      ...[
        "/pages/../../secret",
        "/....//secret",
        "/%c0%ae%c0%ae/secret",
        "/%252e%252e/secret",
        "/index.html/../.hidden",
      ],
    ];
    for (const path of paths) {
      const answer = await exchange(api, httpRequest("GET", path, { Host: api }));
      assert.ok([301, 400, 404].includes(statusOf(answer)), `${path}: ${answer}`);
      assert.ok(!answer.includes("secret\n") && !answer.endsWith("secret"), `${path}: ${answer}`);
    }
    assert.match(await exchange(api, httpRequest("GET", "/", { Host: api })), /page$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Pages of other sites and other names for this machine change nothing", async () => {
  await using server = await startServer({ config: 'streams:\n  cam: "demo:"\n' });
  const { api } = server;
  const evil = { Host: api, Origin: "http://evil.example" };
  const cases: readonly [string, string, Record<string, string>][] = [
    ["POST", "/api/exit", evil],
    ["POST", "/api/exit", { Host: api, Origin: "null" }],
    ["POST", "/api/exit", { Host: api, "Sec-Fetch-Site": "cross-site" }],
    ["POST", "/api/config", { ...evil, "Content-Type": "text/plain" }],
    ["DELETE", "/api/streams?src=cam", evil],
    ["GET", "/api/config", evil],
    ["GET", "/api/streams", { Host: "evil.example" }],
    ["POST", "/api/exit", { Host: "evil.example", Origin: "http://evil.example", "Sec-Fetch-Site": "same-origin" }],
    ["GET", "/api/config", { Host: "localhost.evil.example" }],
    ["GET", "/api/config", { Host: "127.0.0.1.evil.example" }],
  ];
  for (const [method, path, headers] of cases) {
    const answer = await exchange(api, httpRequest(method, path, headers));
    assert.equal(statusOf(answer), 403, `${method} ${path} ${JSON.stringify(headers)}: ${answer}`);
  }
  assert.deepEqual(Object.keys(await server.json<object>("/api/streams")), ["cam"]);
});

Deno.test("The API limits bodies and guesses, and says in one line who guessed", async () => {
  const config = "access:\n  users: [{name: anna, password: sesame}]\n";
  await using server = await startServer({ config });
  const { api } = server;
  const length = { Host: api, "Content-Length": String(5 << 20) };
  const large = Object.entries(length).map(([name, value]) => `${name}: ${value}`).join("\r\n");
  assert.equal(statusOf(await exchange(api, `POST /api/config HTTP/1.1\r\n${large}\r\n\r\n`, /\r\n\r\n/)), 413);
  const guess = (password: string) =>
    exchange(api, httpRequest("GET", "/api", { Host: "x", Authorization: `Basic ${btoa(`anna:${password}`)}` }));
  const statuses: number[] = [];
  for (let i = 0; i < 40; i++) statuses.push(statusOf(await guess(`wrong${i}`)));
  assert.deepEqual([...new Set(statuses)], [401, 429], "after some wrong guesses each must wait");
  assert.match(
    await guess("sesame"),
    /^HTTP\/1\.1 429 .*retry-after: [12]\r\n.*Too many wrong logins from 127\.0\.0\.1/s,
  );
  const lines = server.output().match(/WRN .*Refused a wrong name or password/g) ?? [];
  assert.ok(lines.length <= 3, `one line a second, not ${lines.length}`);
  assert.doesNotMatch(server.output(), /wrong\d|sesame|YW5uY/, "no password is logged");
});

Deno.test("Five hundred connections that say nothing hold up nobody, on either port", async () => {
  await using server = await startServer({ config: 'streams:\n  cam: "demo:"\n' });
  const { api, rtsp, pid } = server;
  const open = (address: string) => Promise.all(Array.from({ length: 500 }, () => RawClient.connect(address)));
  const descriptors = () => [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  const before = Deno.build.os === "linux" ? descriptors() : 0;
  const silent = [...await open(api), ...await open(rtsp)];
  assert.equal((await server.fetch("/api/streams")).status, 200);
  const options = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
  assert.equal(statusOf(await exchange(rtsp, options, /\r\n\r\n/)), 200);
  // RTSP gives them five seconds; the API's own limit has its test where its clock can be moved.
  await Promise.all(silent.slice(500).map((client) => client.until(/(?!)/, 10_000)));
  assert.equal(statusOf(await exchange(rtsp, options, /\r\n\r\n/)), 200);
  for (const client of silent) client[Symbol.dispose]();
  if (before > 0) await until(() => descriptors() <= before + 10);
});

Deno.test({
  name: "A server that ran out of descriptors accepts again, and says what to do",
  ignore: Deno.build.os !== "linux" || !await hasPrlimit(),
  fn: async () => {
    await using server = await startServer({ config: 'streams:\n  cam: "demo:"\n' });
    const { api, pid } = server;
    const limit = [...Deno.readDirSync(`/proc/${pid}/fd`)].length + 20;
    const { success } = await new Deno.Command("prlimit", { args: [`--pid=${pid}`, `--nofile=${limit}:20000`] })
      .output();
    assert.ok(success);
    const clients: RawClient[] = [];
    const flood = async () => {
      for (let i = 0; i < 60; i++) clients.push(await RawClient.connect(api));
    };
    await flood().catch(() => {
      // The listener is gone for a moment.
    });
    await server.line(/\[api\] Cannot accept connections: .*trying again, raise the limit if it lasts \(ulimit -n\)/);
    for (const client of clients) client[Symbol.dispose]();
    await until(async () => (await server.fetch("/api/streams").catch(() => undefined))?.status === 200);
  },
});

async function hasPrlimit(): Promise<boolean> {
  try {
    return (await new Deno.Command("prlimit", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}
