/** The bundle for Node: it is made, is as small as promised, and serves what the source serves. */
import assert from "node:assert/strict";
import { bundleForNode, MAX_BUNDLE_BYTES } from "../scripts/build/node_bundle.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./e2e/page.ts";
import { publish } from "./e2e/cameras.ts";
import { decoded, probe, rtcPage, startRtcServer } from "./e2e/webrtc_peer.ts";
import { hasProgram, needs } from "./support/programs.ts";

const NAME = "The bundle for Node takes RTSP, and shows it over MSE and WebRTC in Chromium";
const hasNode = await hasProgram("node", "--version");

const PLUGIN = 'const name: string = "typed";\n' +
  'export default { name, api: 1, setup(ctx: { log: { info(text: string): void } }) { ctx.log.info("I am here"); } };\n';

Deno.test({
  ...(hasNode ? await needs(NAME, "ffmpeg", "chromium") : { name: `${NAME} (skipped: no node)`, ignore: true }),
  ...BROWSER_TEST,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "lenswire-node-" });
    await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
    const path = await bundleForNode(folder);
    const { size } = await Deno.stat(path);
    assert.ok(size <= MAX_BUNDLE_BYTES, `${size} bytes`);
    await Deno.mkdir(`${folder}/plugins`);
    await Deno.writeTextFile(`${folder}/plugins/typed.ts`, PLUGIN);

    await using server = await startRtcServer("streams:\n  cam:\n", { command: ["node", path] });
    // Newer ones take the types out by themselves.
    await server.line(/\[typed\] I am here|typed\.ts was left out: .*make JavaScript of it/);
    await using _camera = publish(`rtsp://${server.rtsp}/cam`);
    const frames = await probe(server, "cam");
    assert.ok(frames.h264! >= 50, JSON.stringify(frames));

    await using one = await chromium();
    const player = await PlayerPage.open(one.browser, `http://${server.api}/stream.html?src=cam&mode=mse`);
    await player.until("p.stats.decoded > 25");
    assert.deepEqual(player.faults, []);
    const rtc = await rtcPage(await one.browser.newPage(), server.api);
    await decoded(rtc, await rtc.whep("cam"), 25);
    assert.equal((await server.stop()).code, 0);
  },
});
