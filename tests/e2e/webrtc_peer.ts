/** What the WebRTC tests have in common: a server that listens for peers, and what a browser says of its connection. */
import assert from "node:assert/strict";
import { run } from "../support/programs.ts";
import { type PeerReport, RtcPage, type ScriptPage } from "../support/rtc_page.ts";
import { type Server, type ServerOptions, startServer, until } from "../support/server.ts";

/** A server with WebRTC on a free port, which asks nobody for its public address. */
export function startRtcServer(config: string, options: ServerOptions = {}, webrtc = 'listen: ":0"'): Promise<Server> {
  const section = webrtc.split("\n").map((line) => `  ${line}`).join("\n");
  return startServer({ ...options, config: `webrtc:\n  ice_servers: []\n${section}\n${config}` });
}

/** The statistics of one kind (`video`, `audio`, `transport`, `remotevideo` …), with numbers where there should be any. */
export function figures(report: PeerReport, kind: string): Readonly<Record<string, number>> {
  return (report[kind] ?? {}) as Readonly<Record<string, number>>;
}

/** Waits until a browser has decoded so many pictures of a peer connection; answers its report. */
export async function decoded(rtc: RtcPage, index: number, count: number, ms = 15_000): Promise<PeerReport> {
  let report: PeerReport | undefined;
  try {
    return await until(async () => {
      report = await rtc.report(index);
      return (figures(report, "video").framesDecoded ?? 0) >= count && report;
    }, ms);
  } catch (cause) {
    throw new Error(`The browser did not decode ${count} pictures: ${JSON.stringify(report)}`, { cause });
  }
}

/** A page of the server's, plain text without scripts of its own, with ours in it. */
export async function rtcPage(
  page: ScriptPage & { goto(url: string): Promise<unknown> },
  api: string,
): Promise<RtcPage> {
  await page.goto(`http://${api}/api/webrtc`);
  return await RtcPage.on(page);
}

/** Waits until a stream is published, and has ffprobe decode three seconds of it: frames by the name of the codec. */
export async function probe(server: Server, stream: string): Promise<Record<string, number>> {
  await until(async () => {
    const { producers } = await server.json<{ producers: { state?: string }[] }>(`/api/streams?src=${stream}`);
    return producers.some(({ state }) => state === "live");
  }, 15_000);
  const { code, output } = await run("ffprobe", [
    ...["-v", "error", "-rtsp_transport", "tcp", "-count_frames", "-read_intervals", "%+3"],
    ...["-show_entries", "stream=codec_name,nb_read_frames", "-of", "compact=nokey=1:print_section=0"],
    `rtsp://${server.rtsp}/${stream}`,
  ]);
  assert.equal(code, 0, output);
  const lines = output.split("\n").filter((line) => /^\w+\|\d+$/.test(line));
  return Object.fromEntries(lines.map((line) => [line.split("|")[0]!, Number(line.split("|")[1])]));
}

/** How many connections take a stream. */
export async function consumers(server: Server, stream: string): Promise<readonly Record<string, unknown>[]> {
  const all = await server.json<Record<string, { consumers: Record<string, unknown>[] }>>("/api/streams");
  return all[stream]!.consumers;
}
