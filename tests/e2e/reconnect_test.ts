/** A camera that comes back as another one (other SSRC, other SPS, other clock) does not end its viewers. */
import assert from "node:assert/strict";
import { readFmp4 } from "../../core/mod.ts";
import { needs, start } from "../support/programs.ts";
import { startServer, until } from "../support/server.ts";
import { gstCamera, gstPicture } from "./cameras.ts";
import { MseClient } from "./mse_client.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./page.ts";

const camera = (width: number, height: number, port = 0) =>
  gstCamera(`( ${gstPicture({ width, height })} ! rtph264pay name=pay0 pt=96 )`, { port });

/** The sizes in the headers that a client got, in order. */
function sizes(client: MseClient): string[] {
  return client.pieces.filter(({ hasHeader }) => hasHeader).map(({ bytes }) => {
    const [video] = readFmp4(bytes).tracks;
    return `${video!.width}x${video!.height}`;
  });
}

interface StreamShape {
  readonly producers: readonly { readonly state?: string; readonly cause?: string }[];
  readonly consumers: readonly { readonly id: number; readonly format_name: string }[];
}

Deno.test({
  ...await needs("A camera that comes back different keeps its viewers", "gst-rtsp-server", "ffmpeg", "chromium"),
  ...BROWSER_TEST,
  async fn() {
    const first = await camera(320, 240);
    await using server = await startServer({ config: `streams:\n  cam: "${first.url}"\n` });
    await using client = new MseClient(server.api, "src=cam");
    await client.more(20);
    await using player = start("ffmpeg", [
      // Each picture's size is told; a player that ends or starts anew would tell so too.
      ...["-v", "info", "-rtsp_transport", "tcp", "-i", `rtsp://${server.rtsp}/cam?video`, "-vf", "showinfo"],
      ...["-fps_mode", "passthrough", "-f", "null", "-"],
    ]);
    await using one = await chromium();
    const tab = await PlayerPage.open(one.browser, `http://${server.api}/stream.html?src=cam&mode=mse`);
    await tab.until("p.stats.decoded > 20 && p.stats.width === 320");
    await until(() => player.errors().includes(" s:320x240 "));
    const { consumers } = await server.json<StreamShape>("/api/streams?src=cam");
    assert.equal(consumers.length, 3);
    const ids = consumers.map(({ id }) => id).sort();

    await first[Symbol.asyncDispose]();
    await until(async () => {
      const [producer] = (await server.json<StreamShape>("/api/streams?src=cam")).producers;
      return producer!.state !== "live" && producer!.cause !== undefined;
    });
    await using _ = await camera(640, 480, first.port);

    await client.until(() => sizes(client).length === 2);
    await client.more(30);
    assert.deepEqual(sizes(client), ["320x240", "640x480"]);
    const types = client.texts.filter(({ type }) => type === "mse").map(({ value }) => value);
    assert.equal(new Set(types).size, 2, types.join());
    assertOneTimeline(client);
    await tab.until("p.stats.width === 640 && p.stats.inits === 2");
    await tab.decodes(40);
    await until(() => (player.errors().match(/ s:640x480 /g)?.length ?? 0) > 40);
    const after = (await server.json<StreamShape>("/api/streams?src=cam")).consumers;
    assert.deepEqual(after.map(({ id }) => id).sort(), ids);
    assert.deepEqual(tab.faults, []);
  },
});

/** Times go on behind the change: never back, and by about as much as the camera was away. */
function assertOneTimeline(client: MseClient): void {
  const { tracks: [video] } = readFmp4(client.file);
  const steps = video!.samples.slice(1).map(({ dts }, i) => dts - video!.samples[i]!.dts);
  assert.ok(Math.min(...steps) > 0, "decode times step back");
  const shown = video!.samples.map(({ pts }) => pts);
  const longest = Math.max(...shown.slice(1).map((pts, i) => pts - shown[i]!)) / 90_000;
  assert.ok(longest < 10, `a pause of ${longest} s`);
}
