/** Behind nginx: in a sub-path as docs/install.md has it, as Home Assistant's ingress, with a base path, and done wrongly. */
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { readFmp4 } from "../../core/mod.ts";
import { needs, start } from "../support/programs.ts";
import { startServer, until } from "../support/server.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./page.ts";

/** The `location` of nginx that the docs tell people to write. */
async function locationOfDocs(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../docs/install.md", import.meta.url));
  const [, block] = /```nginx\n([^]*?)```/.exec(text)!;
  assert.ok(block!.includes("http://127.0.0.1:1984/"), "the docs have the address that is put in here");
  return block!;
}

/** A running nginx. */
interface Proxy extends AsyncDisposable {
  readonly host: string;
}

async function startNginx(locations: string): Promise<Proxy> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-nginx-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`);
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
http { access_log off; ${temporary.join(" ")}
server { listen 127.0.0.1:${port};
${locations}
} }`,
  );
  const nginx = start("nginx", ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`]);
  const host = `127.0.0.1:${port}`;
  await until(async () => await fetch(`http://${host}/`).then((answer) => answer.text()).catch(() => undefined))
    .catch(() => assert.fail(nginx.errors()));
  return {
    host,
    async [Symbol.asyncDispose]() {
      nginx.kill("SIGTERM");
      await nginx[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Home Assistant hands on what the browser sent, with these added; its supervisor comes from an address of its own. */
const ingressOf = (api: string) => `
location /api/hassio_ingress/k3x9/ {
  proxy_pass http://${api}/;
  proxy_bind 127.0.0.2;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Ingress-Path /api/hassio_ingress/k3x9;
  proxy_set_header X-Forwarded-For "8.8.8.8, 172.30.32.1";
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto https;
  proxy_set_header X-Remote-User-Name anna;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection "upgrade";
}`;

const CONFIG = `
access:
  trusted_proxies: [127.0.0.1]
  login_proxies: {127.0.0.2: admin}
  users:
    - {name: guest, password: pw, cameras: [yard]}
streams:
  yard: "demo:"
  hall: "demo:"
`;

/** Opens every page below an address; answers what was asked for outside it, or refused. */
async function strayRequests(browser: Browser, base: string): Promise<string[]> {
  const context = await browser.newContext();
  const stray: string[] = [];
  const page = await context.newPage();
  page.on("response", (response) => {
    if (!response.url().startsWith(base) || response.status() >= 400) {
      stray.push(`${response.status()} ${response.url()}`);
    }
  });
  page.on("pageerror", (error) => stray.push(error.message));
  const pages = ["", "config.html", "log.html", "net.html", "links.html?src=yard", "webrtc.html?src=yard", "api/docs"];
  for (const path of pages) await page.goto(base + path, { waitUntil: "load" });
  await context.close();
  return stray;
}

/** The names in the list of streams that a user is shown. */
async function listed(browser: Browser, base: string, httpCredentials: { username: string; password: string }) {
  const context = await browser.newContext({ httpCredentials });
  const page = await context.newPage();
  await page.goto(base);
  await page.waitForSelector("#streams tbody tr");
  const names = await page.locator("#streams tbody td:nth-child(3)").allInnerTexts();
  await context.close();
  return names.map((text) => text.split("\n")[0]);
}

Deno.test({
  ...await needs(
    "Behind nginx in a sub-path, as the docs have it, and as Home Assistant's ingress",
    "nginx",
    "chromium",
  ),
  ...BROWSER_TEST,
  async fn(test) {
    await using server = await startServer({ config: CONFIG });
    const docs = (await locationOfDocs()).replaceAll("127.0.0.1:1984", server.api);
    await using nginx = await startNginx(docs + ingressOf(server.api));
    const cams = `http://${nginx.host}/cams/`;
    const ingress = `http://${nginx.host}/api/hassio_ingress/k3x9/`;
    const headers = { authorization: `Basic ${btoa("guest:pw")}` };

    await test.step("nobody is taken for the owner or the local network", async () => {
      const statusOf = async (path: string, init: RequestInit = {}) => {
        const answer = await fetch(path, init);
        await answer.body?.cancel();
        return answer.status;
      };
      assert.equal(await statusOf(`${cams}api/streams`), 401);
      assert.equal(await statusOf(`${cams}api/streams`, { headers }), 200);
      assert.equal(await statusOf(`${cams}api/config`, { headers }), 403);
      assert.equal(await statusOf(`${cams}api/frame.mp4?src=hall`, { headers }), 403);
      assert.equal(await statusOf(`${ingress}api/config`), 200);
      assert.equal(await statusOf(`http://${server.api}/api/config`), 200, "this machine itself needs no login");
    });

    await test.step("a file arrives while it is made, a snapshot whole", async () => {
      const film = await fetch(`${cams}api/stream.mp4?src=yard&start=now`, { headers });
      const reader = film.body!.getReader();
      const startMs = performance.now();
      let bytes = new Uint8Array(0);
      while (!bytes.length || readFmp4(bytes).tracks.every(({ samples }) => samples.length < 10)) {
        const { value } = await reader.read();
        bytes = new Uint8Array([...bytes, ...value!]);
      }
      assert.ok(performance.now() - startMs < 5000);
      await reader.cancel();
      const still = await fetch(`${cams}api/frame.mp4?src=yard`, { headers });
      const { tracks } = readFmp4(new Uint8Array(await still.arrayBuffer()));
      assert.equal(tracks[0]!.samples.length, 1);
    });

    await test.step("events arrive as they happen", async () => {
      const events = await fetch(`${ingress}api/events`);
      const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
      assert.match((await reader.read()).value!, /^retry:/);
      await (await fetch(`${ingress}api/streams?name=new&src=rtsp://127.0.0.1:9/`, { method: "PUT" })).body?.cancel();
      assert.match((await reader.read()).value!, /^event: .*\ndata: .*new/);
      await reader.cancel();
    });

    await using one = await chromium();
    await test.step("pages ask for nothing outside their path", async () => {
      assert.deepEqual(await strayRequests(one.browser, ingress), []);
    });

    await test.step("a user logs in, sees the own camera in the list, and pictures of it over the WebSocket", async () => {
      assert.deepEqual(await listed(one.browser, cams, { username: "guest", password: "pw" }), ["yard"]);
      const url = `${cams.replace("//", "//guest:pw@")}stream.html?src=yard&mode=mse`;
      const tab = await PlayerPage.open(one.browser, url);
      await tab.until("p.stats.decoded > 25 && p.stats.mode === 'mse'");
      assert.deepEqual(tab.faults, []);
    });

    await test.step("whom Home Assistant lets in goes from the list to a camera's picture", async () => {
      const tab = await PlayerPage.open(one.browser, ingress);
      await tab.page.click("text=hall");
      await tab.until("p.stats.decoded > 25");
      assert.ok(tab.page.url().startsWith(`${ingress}stream.html?`), tab.page.url());
      assert.deepEqual(tab.faults, []);
    });
  },
});

Deno.test({
  ...await needs(
    "Behind nginx with a base path; one that sends no headers makes no owner of a browser",
    "nginx",
    "chromium",
  ),
  ...BROWSER_TEST,
  async fn() {
    const config =
      `api: {listen: "127.0.0.1:0", base_path: /kept}\nwebrtc: {listen: ""}\nrtsp: {listen: ""}\nstreams: {yard: "demo:"}\n`;
    await using server = await startServer({ isBare: true, config });
    const api = / addr=(\S+)$/.exec(await server.line(/\[api\] listen addr=/))![1]!;
    const docs = await locationOfDocs();
    const kept = docs.replaceAll("/cams/", "/kept/").replace("http://127.0.0.1:1984/", `http://${api}`);
    await using nginx = await startNginx(`${kept}\nlocation / { proxy_pass http://${api}/kept/; }`);
    await using one = await chromium();
    const base = `http://${nginx.host}/kept/`;
    const tab = await PlayerPage.open(one.browser, `${base}stream.html?src=yard&mode=mse`);
    await tab.until("p.stats.decoded > 25");
    assert.deepEqual(tab.faults, []);
    for (const path of ["", "config.html", "api/config"]) {
      const response = await tab.page.goto(`http://${nginx.host}/${path}`);
      assert.equal(response!.status(), 403, path);
      assert.match(
        await response!.text(),
        /a proxy on 127\.0\.0\.1 that does not say for whom: let it send X-Forwarded-For/,
      );
    }
  },
});
