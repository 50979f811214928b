/** What the WebRTC tests have in common: a server that listens for peers, and what a browser says of its connection. */
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
  return await until(async () => {
    const report = await rtc.report(index);
    return (figures(report, "video").framesDecoded ?? 0) >= count && report;
  }, ms);
}

/** A page of the server's, plain text without scripts of its own, with ours in it. */
export async function rtcPage(
  page: ScriptPage & { goto(url: string): Promise<unknown> },
  api: string,
): Promise<RtcPage> {
  await page.goto(`http://${api}/api/webrtc`);
  return await RtcPage.on(page);
}

/** How many connections take a stream. */
export async function consumers(server: Server, stream: string): Promise<readonly Record<string, unknown>[]> {
  const all = await server.json<Record<string, { consumers: Record<string, unknown>[] }>>("/api/streams");
  return all[stream]!.consumers;
}
