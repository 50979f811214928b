/** The libraries that other servers, OBS and many cameras are made with, as viewers and as publishers. */
import assert from "node:assert/strict";
import { datachannelPeer, type Need, needs, pionPeer, run, start } from "../support/programs.ts";
import { X264 } from "./cameras.ts";
import { probe, startRtcServer } from "./webrtc_peer.ts";

interface Peer {
  readonly name: string;
  readonly need: Need;
  /** The command that watches a URL, or publishes a file to it. */
  command(...args: readonly string[]): Promise<readonly [string, readonly string[]]>;
}

const PEERS: readonly Peer[] = [
  {
    name: "pion",
    need: "pion",
    command: async (...args) => [(await pionPeer())!, args],
  },
  {
    name: "libdatachannel (OBS has it)",
    need: "node-datachannel",
    command: (...args) => Promise.resolve([Deno.execPath(), datachannelPeer(...args)]),
  },
];

/** Makes four seconds of H264 with one slice for each picture. */
async function film(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ suffix: ".h264" });
  const picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=4", ...X264, "-g", "25"];
  const { code, output } = await run("ffmpeg", [
    ...["-v", "error", "-y", ...picture, "-x264-params", "sliced-threads=0", path],
  ]);
  assert.equal(code, 0, output);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

for (const { name, need, command } of PEERS) {
  Deno.test(await needs(`${name} gets pictures over WHEP`, need), async () => {
    await using server = await startRtcServer('streams:\n  demo: "demo:"\n');
    const { output } = await run(...await command("watch", `http://${server.api}/api/webrtc?src=demo`));
    assert.match(output, /pictures 50/, output);
  });

  Deno.test(await needs(`${name} publishes by WHIP, and ffprobe decodes it over RTSP`, need, "ffmpeg"), async () => {
    await using server = await startRtcServer("streams:\n  phone:\n");
    await using file = await film();
    await using publisher = start(
      ...await command("publish", `http://${server.api}/api/webrtc?dst=phone`, file.path),
    );
    const frames = await probe(server, "phone");
    assert.ok(frames.h264! >= 60, `${JSON.stringify(frames)} ${publisher.errors()}`);
  });
}
