import assert from "node:assert/strict";
import { startServer, until } from "../tests/support/server.ts";
import { hasProgram } from "../tests/support/programs.ts";

Deno.test({
  name: "example plugin, copied as a user would, makes a picture that others decode",
  ignore: !await hasProgram("ffmpeg"),
  async fn() {
    const folder = await Deno.makeTempDir();
    await Deno.copyFile(new URL("example.ts", import.meta.url), `${folder}/example.ts`);
    try {
      await using server = await startServer({
        args: ["--plugins", folder],
        config: 'example:\n  rate: 10\nstreams:\n  test: "example:#size=320x240"\npublish:\n  test: "example-count:"\n',
      });
      const { stdout } = await new Deno.Command("ffprobe", {
        args: [
          "-v",
          "error",
          "-rtsp_transport",
          "tcp",
          "-count_frames",
          "-read_intervals",
          "%+2",
          "-show_entries",
          "stream=codec_name,width,height,nb_read_frames",
          "-of",
          "json",
          `rtsp://${server.rtsp}/test`,
        ],
      }).output();
      const { streams: [picture] } = JSON.parse(new TextDecoder().decode(stdout));
      assert.equal(`${picture.codec_name} ${picture.width}x${picture.height}`, "h264 320x240");
      assert.ok(Number(picture.nb_read_frames) > 10, `${picture.nb_read_frames} frames were decoded`);
      const counted = await until(async () => {
        const text = await (await server.fetch("/metrics")).text();
        return Number(/^example_frames_total\{stream="test"\} (\d+)$/m.exec(text)?.[1] ?? 0);
      });
      assert.ok(counted > 5);
      assert.deepEqual(await server.json("/api/example"), { hello: "admin" });
      const schemes = await server.json<string[]>("/api/schemes");
      assert.ok(schemes.includes("example"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
