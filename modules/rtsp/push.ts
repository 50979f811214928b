import {
  type Attachment,
  type Consumer,
  type Media,
  mediasOfQuery,
  type OpenIo,
  redactUrls,
  type SourceUrl,
  StreamError,
} from "../../core/mod.ts";
import { RtspClient } from "./client.ts";
import { hostPort } from "./facts.ts";
import { parseSourceOptions, parseTarget, SOFTWARE } from "./options.ts";
import { whenDescribed } from "./parameters.ts";
import { untilAborted } from "./until.ts";
import { Viewer } from "./viewer.ts";

/** How long the announcement waits for parameter sets. */
const DESCRIBE_MS = 5000;

/** Connects to the RTSP server that a stream is to be pushed to; `#media=` leaves out what it need not have. */
export async function openPush(sink: SourceUrl, io: OpenIo): Promise<Push> {
  const options = parseSourceOptions(sink);
  if (options.transport.kind !== "tcp") {
    throw new StreamError("BAD_SOURCE", `Cannot push to "${redactUrls(sink.url)}" by #transport: only TCP is known`);
  }
  const client = new RtspClient(parseTarget(sink.url), options, { stream: sink.url, isTrusted: io.isTrusted });
  try {
    await client.connect(io.signal);
  } catch (error) {
    client.close();
    throw error;
  }
  const medias = mediasOfQuery(new URLSearchParams("video&audio")).filter(({ kind }) => options.wants(kind));
  return new Push(client, medias);
}

/** Pushes a stream to another server (RFC 2326 §10.3, §10.11): to that server we are a publisher, to the stream a viewer. */
class Push implements Consumer {
  readonly medias: readonly Media[];
  readonly #client: RtspClient;
  readonly #viewer: Viewer;
  readonly #ended = Promise.withResolvers<Error>();
  #isRunning = false;

  constructor(client: RtspClient, medias: readonly Media[]) {
    this.#client = client;
    this.medias = medias;
    const { host, port } = client.connection!.remoteAddress;
    const wishes = { loopGuard: undefined, start: undefined, packetBytes: 0, timeoutMs: 0, logLevel: "warn" } as const;
    const facts = { remoteAddr: hostPort({ host, port }), userAgent: SOFTWARE };
    this.#viewer = new Viewer({ ...wishes, medias }, facts, (reason) => this.close(reason));
  }

  get info(): Viewer["info"] {
    return this.#viewer.info;
  }
  sent(track: Parameters<Viewer["sent"]>[0]): ReturnType<Viewer["sent"]> {
    return this.#viewer.sent(track);
  }
  close(reason: string): void {
    this.#ended.resolve(new StreamError("CLOSED", reason));
    if (!this.#isRunning) this.#client.close();
  }

  /** Announces the tracks and pushes them until the signal; rejects when it ended by itself. */
  async run(signal: AbortSignal, attachment: Attachment): Promise<void> {
    const client = this.#client;
    const viewer = this.#viewer;
    this.#isRunning = true;
    try {
      viewer.enter(undefined, attachment);
      await whenDescribed(viewer.tracks, DESCRIBE_MS, signal);
      await client.announce(viewer.describe(), signal);
      for (const { id } of viewer.tracks) {
        const channels = `interleaved=${id * 2}-${id * 2 + 1}`;
        const chosen = await client.setup(`trackID=${id}`, `RTP/AVP/TCP;unicast;${channels};mode=record`, signal);
        // A track's channels are the same for all that it is sent to.
        if ((chosen.channel ?? id * 2) !== id * 2) {
          throw new StreamError("PROTOCOL", `rtsp: ${client.name} chose "${chosen.text}": expected ${channels}`);
        }
        viewer.add(id, "interleaved");
      }
      await client.record(signal);
      const connection = client.connection!;
      connection.ended.then((error) => this.#ended.resolve(error));
      viewer.play(connection.outletConn());
      connection.outlet = viewer.streamOutlet;
      viewer.begin();
      const error = await untilAborted(this.#ended.promise, signal);
      if (error) throw error;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      const outlet = viewer.streamOutlet;
      viewer.leave();
      // What is sent in the midst of a frame is taken for a part of it.
      if (outlet?.isWriting) client.close();
      else await client.teardown();
    }
  }
}
