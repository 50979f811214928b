import {
  type Frame,
  parseSeconds,
  parseStart,
  PushBody,
  type RouteRequest,
  SinkOutlet,
  StreamError,
  type StreamHandle,
} from "../../core/mod.ts";
import { Mp4Viewer } from "./viewer.ts";
import { wishesOfQuery } from "./wishes.ts";

/** How long a snapshot waits for a keyframe. */
const SNAPSHOT_MS = 10_000;

function download(query: URLSearchParams): Record<string, string> {
  const name = query.get("filename")?.replace(/[\r\n"\\/]/g, "_");
  return name ? { "content-disposition": `attachment; filename="${encodeName(name)}"` } : {};
}

// Header values are Latin-1: other letters would be refused.
function encodeName(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, "_");
}

function shapeOf(query: URLSearchParams): { rotate?: number; scale?: [number, number] } {
  const rotate = Number(query.get("rotate"));
  const scale = /^([1-9]\d{0,4}):([1-9]\d{0,4})$/.exec(query.get("scale") ?? "");
  return {
    ...([90, 180, 270].includes(rotate) ? { rotate } : {}),
    ...(scale ? { scale: [Number(scale[1]), Number(scale[2])] } : {}),
  };
}

function userAgentOf({ request }: RouteRequest): string {
  return request.headers.get("user-agent") ?? "";
}

/** `/api/stream.mp4`: the stream as one endless file (contract §3.12, §7.2). */
export async function streamFile(stream: StreamHandle, call: RouteRequest): Promise<Response> {
  const { query } = call;
  const durationMs = parseSeconds(query.get("duration") ?? "");
  const leaving = new AbortController();
  const viewer = await Mp4Viewer.attach(stream, call.principal, {
    formatName: "mp4",
    protocol: "http",
    remoteAddr: call.remoteAddr,
    userAgent: userAgentOf(call),
    medias: wishesOfQuery(query),
    start: parseStart(query.get("start")) ?? stream.start ?? "live",
    shape: shapeOf(query),
    isCopiedAtOnce: true,
    onClose: (reason) => leaving.abort(reason),
  }, call.request.signal);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const body = new PushBody();
  const outlet = new SinkOutlet(body, {
    reader: viewer.reader,
    head: viewer.initSegment,
    render: viewer.render,
    onEnd: () => {
      clearTimeout(timer);
      viewer[Symbol.dispose]();
      body.close();
    },
  });
  body.onClose = () => outlet.end("closed by the viewer");
  leaving.signal.addEventListener("abort", () => outlet.end(String(leaving.signal.reason)), { once: true });
  if (leaving.signal.aborted) outlet.end(String(leaving.signal.reason));
  if (durationMs) timer = setTimeout(() => outlet.end("its time is over"), durationMs);
  return new Response(body.stream, {
    headers: {
      "content-type": viewer.mime,
      "cache-control": "no-store",
      // For nginx, which else collects what is small.
      "x-accel-buffering": "no",
      ...download(query),
    },
  });
}

/** `/api/frame.mp4`: the newest keyframe as a file of one picture (contract §3.11). */
export async function frameFile(stream: StreamHandle, call: RouteRequest): Promise<Response> {
  const { query } = call;
  using viewer = await Mp4Viewer.attach(stream, call.principal, {
    formatName: "mp4",
    protocol: "http",
    remoteAddr: call.remoteAddr,
    userAgent: userAgentOf(call),
    medias: wishesOfQuery(new URLSearchParams("video=h264,h265")),
    start: "now",
    isStills: true,
    right: "snapshot",
    onClose: () => {},
  }, call.request.signal);
  const bytes = await firstPicture(viewer, call.request.signal);
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      "content-type": viewer.mime,
      "content-length": String(bytes.length),
      "cache-control": "no-cache",
      ...download(query),
    },
  });
}

function firstPicture(viewer: Mp4Viewer, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const { reader } = viewer;
    const stop = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      reader.wake = () => {};
      if (error) reject(error);
    };
    const onAbort = () => stop(new StreamError("CLOSED", "The viewer left before a keyframe came"));
    const timer = setTimeout(() => {
      const seconds = SNAPSHOT_MS / 1000;
      stop(
        new StreamError("TIMEOUT", `No keyframe came within ${seconds} s: shorten the keyframe interval of the camera`),
      );
    }, SNAPSHOT_MS);
    const look = () => {
      for (let frame: Frame | undefined = reader.next(); frame; frame = reader.next()) {
        const bytes = viewer.render(frame, reader);
        if (!bytes) continue;
        stop();
        return resolve(bytes);
      }
    };
    signal.addEventListener("abort", onAbort, { once: true });
    reader.wake = look;
    look();
  });
}
