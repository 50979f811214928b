/** Edits of the config, by whatever way, touch only the streams that changed. */
import assert from "node:assert/strict";
import { freePort, startServer, until } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";

const CONFIG = `# The house
streams:
  yard: "demo:" # stays
  bed: "demo:"
`;

interface Consumers {
  readonly consumers: readonly { readonly id: number; readonly skips?: number }[];
}

Deno.test("Edits of the config keep the viewers of streams that did not change, and its comments", async (t) => {
  await using server = await startServer({ config: CONFIG });
  await using viewer = new MseClient(server.api, "src=yard");
  await viewer.more(20);
  const { consumers: [before] } = await server.json<Consumers>("/api/streams?src=yard");
  const names = async () => Object.keys(await server.json<Record<string, unknown>>("/api/streams")).sort();
  const send = async (method: string, path: string, body?: string) => {
    const response = await server.fetch(path, { method, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
  };
  /** Each edit has to take effect, and the viewer has to have the pictures of that time without a gap. */
  const edit = (name: string, run: () => Promise<void>, isDone: () => Promise<boolean>) =>
    t.step(name, async () => {
      const from = viewer.pieces.length;
      await run();
      await until(isDone);
      await viewer.more(15);
      assert.ok(viewer.isOpen);
      const pauses = viewer.pieces.slice(from + 1).map(({ atMs }, i) => atMs - viewer.pieces[from + i]!.atMs);
      assert.ok(Math.max(...pauses) < 400, `a pause of ${Math.max(...pauses)} ms`);
      const { consumers } = await server.json<Consumers>("/api/streams?src=yard");
      assert.deepEqual(consumers.map(({ id, skips }) => [id, skips]), [[before!.id, undefined]]);
    });
  const has = (name: string) => async () => (await names()).includes(name);
  const hasNot = (name: string) => async () => !(await names()).includes(name);
  const text = () => Deno.readTextFile(server.configPath);

  await edit("PUT /api/streams", () => send("PUT", "/api/streams?name=put&src=demo:"), has("put"));
  await edit("PUT of the same sources again", () => send("PUT", "/api/streams?name=yard&src=demo:"), has("yard"));
  await edit("PATCH /api/streams", () => send("PATCH", "/api/streams?name=patched&src=demo:"), has("patched"));
  await edit("DELETE /api/streams", () => send("DELETE", "/api/streams?src=put"), hasNot("put"));
  await edit("PATCH /api/config", () => send("PATCH", "/api/config", "streams: {merged: 'demo:'}"), has("merged"));
  await edit("POST /api/config", async () => {
    await send("POST", "/api/config", (await text()).replace("  bed:", "  # moved\n  bath:"));
  }, async () => (await names()).includes("bath") && !(await names()).includes("bed"));
  await edit("a change of the file", async () => {
    await Deno.writeTextFile(server.configPath, `${await text()}  attic: "demo:"\n`);
  }, has("attic"));
  await edit("a file that cannot be read is reported and changes nothing", async () => {
    await Deno.writeTextFile(server.configPath, `${await text()}  broken: [\n`);
    await server.line(/(WRN|ERR) .*go2rtc\.yaml/);
  }, has("attic"));
  const final = await text();
  assert.match(final, /^# The house$/m);
  assert.match(final, /yard: "demo:" # stays/);
  assert.match(final, /# moved\n {2}bath:/);
});

Deno.test("An edit of a listener's section leaves the server at its port", async () => {
  const [rtsp, webrtc] = [freePort(), freePort()];
  const config =
    `webrtc: {listen: "127.0.0.1:${webrtc}", ice_servers: [], filters: {loopback: true}}\nstreams: {yard: "demo:"}\n`;
  await using server = await startServer({ rtspPort: rtsp, config });
  for (
    const [section, edit] of [["rtsp", "{default_query: video}"], ["webrtc", "{candidates: [192.0.2.1]}"]] as const
  ) {
    const { status } = await server.fetch("/api/config", { method: "PATCH", body: `${section}: ${edit}` });
    assert.equal(status, 200);
    const isBack = new RegExp(
      `plugin of a changed section anew plugin=${section}\\n[^]*\\[${section}\\] listen (?:udp |addr)`,
    );
    await until(() => isBack.test(server.output()));
  }
  for (const port of [rtsp, webrtc]) (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  assert.throws(
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: webrtc }),
    Deno.errors.AddrInUse,
  );
  assert.doesNotMatch(server.output(), / ERR /);
});

Deno.test("A stream that is removed closes its viewers with a reason, and no others", async () => {
  await using server = await startServer({ config: CONFIG });
  await using yard = new MseClient(server.api, "src=yard");
  await using bed = new MseClient(server.api, "src=bed");
  await Promise.all([yard.more(5), bed.more(5)]);
  await server.fetch("/api/streams?src=bed", { method: "DELETE" });
  const { code, reason } = await bed.closed;
  assert.equal(code, 1001);
  assert.match(reason, /removed/);
  await yard.more(10);
});
