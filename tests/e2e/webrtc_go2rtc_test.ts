/** go2rtc at the other end, in both directions and in both of its ways of signalling. `GO2RTC` names the program. */
import assert from "node:assert/strict";
import { needs, run, start } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { startRtcServer } from "./webrtc_peer.ts";

/** Ports of loopback that were free a moment ago. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  return listeners.map((listener) => {
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    return port;
  });
}

/** How many pictures ffprobe decodes of a second of H264. */
async function pictures(url: string): Promise<number> {
  const { output } = await run("ffprobe", [
    ...["-v", "error", "-rtsp_transport", "tcp", "-select_streams", "v", "-count_frames", "-read_intervals", "%+1"],
    ...["-show_entries", "stream=codec_name,nb_read_frames", "-of", "compact=nokey=1:print_section=0", url],
  ]);
  return Number(/^h264\|(\d+)/m.exec(output)?.[1] ?? assert.fail(output));
}

Deno.test({
  ...await needs(
    "go2rtc watches us, and we watch go2rtc, over WHEP and the WebSocket",
    "go2rtc (its path in GO2RTC)",
    "ffmpeg",
  ),
  fn: async () => {
    const [api, rtsp, webrtc] = freePorts(3);
    await using server = await startRtcServer(
      'streams:\n  demo: "demo:"\n' +
        `  whep: "webrtc:http://127.0.0.1:${api}/api/webrtc?src=cam"\n` +
        `  socket: "webrtc:ws://127.0.0.1:${api}/api/ws?src=cam"\n`,
    );
    const config = `{api: {listen: "127.0.0.1:${api}"}, rtsp: {listen: "127.0.0.1:${rtsp}"}, ` +
      `webrtc: {listen: ":${webrtc}", ice_servers: []}, streams: {cam: "rtsp://${server.rtsp}/demo", ` +
      `whep: "webrtc:http://${server.api}/api/webrtc?src=demo", socket: "webrtc:ws://${server.api}/api/ws?src=demo"}}`;
    await using _other = start(Deno.env.get("GO2RTC")!, ["-config", config]);
    await until(async () => (await fetch(`http://127.0.0.1:${api}/api`).catch(() => undefined))?.ok);
    for (const name of ["whep", "socket"]) {
      const itsPictures = await pictures(`rtsp://127.0.0.1:${rtsp}/${name}`);
      assert.ok(itsPictures >= 15, `go2rtc got ${itsPictures} by ${name}`);
      const ours = await pictures(`rtsp://${server.rtsp}/${name}`);
      assert.ok(ours >= 15, `we got ${ours} by ${name}`);
    }
  },
});
