import { budget } from "../media/budget.ts";
import { process } from "../runtime/mod.ts";
import type { Stream } from "../streams/stream.ts";
import type { Streams } from "../streams/streams.ts";
import { redactUrls } from "../util/errors.ts";
import type { Events } from "./events.ts";
import { apiPage, openApiDocument } from "./http/openapi.ts";
import { jsonResponse } from "./http/responses.ts";
import type { Router } from "./http/router.ts";
import type { ApiSockets } from "./http/sockets.ts";
import type { LagMeter, MetricTable } from "./metrics.ts";
import { VERSION } from "./version.ts";

const OWNER = "kernel";

/** What the kernel's routes show. */
export interface KernelRouteParts {
  readonly router: Router;
  readonly sockets: ApiSockets;
  readonly events: Events;
  readonly metrics: MetricTable;
}

/** Registers the routes that are the kernel's own. */
export function addKernelRoutes({ router, sockets, events, metrics }: KernelRouteParts, hasSockets: boolean): void {
  router.add(
    "GET",
    "/api/events",
    {
      summary: "What happens, as server-sent events: sources, streams, viewers",
      needs: "watch",
      camera: () => null,
      responses: { "200": "text/event-stream" },
    },
    ({ principal }) => events.serve(principal),
    OWNER,
  );
  router.add(
    "GET",
    "metrics",
    {
      summary: "Counters and gauges for Prometheus",
      needs: "operate",
      responses: { "200": "Text format 0.0.4" },
    },
    () => new Response(metrics.text(), { headers: { "content-type": "text/plain; version=0.0.4" } }),
    OWNER,
  );
  router.add(
    "GET",
    "/api/openapi.json",
    {
      summary: "This API for programs, as OpenAPI 3.1",
      needs: "watch",
      camera: () => null,
    },
    () => jsonResponse(openApiDocument(router.routes(), sockets.types(), VERSION), { pretty: true }),
    OWNER,
  );
  router.add("GET", "/api/docs", {
    summary: "This API as a page",
    needs: "watch",
    camera: () => null,
  }, () =>
    new Response(apiPage(router.routes(), sockets.types()), {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      },
    }), OWNER);
  if (!hasSockets) return;
  router.add(
    "GET",
    "/api/ws",
    {
      summary: "A WebSocket for players: JSON messages, and media in binary ones",
      needs: "watch",
      camera: () => null,
      query: { src: "The stream to watch, or a source's URL", dst: "The stream to send to" },
      responses: { "101": "Switched", "403": "A page of another site" },
    },
    sockets.serve,
    OWNER,
  );
}

/** What the kernel's metrics are read from. */
export interface KernelMetricParts {
  readonly metrics: MetricTable;
  readonly streams: Streams;
  readonly sockets: ApiSockets;
  readonly lag: LagMeter;
  /** Bytes that renditions hold. */
  renditionBytes(): number;
}

/** Registers the metrics of the program itself. */
export function addKernelMetrics({ metrics, streams, sockets, lag, renditionBytes }: KernelMetricParts): void {
  const { gauge } = metrics.scope(() => {});
  const single = (name: string, help: string, read: () => number) => gauge(name, help, () => [{ value: read() }]);
  single("process_resident_memory_bytes", "Memory of the process.", () => process.memory().rss);
  single("lenswire_heap_bytes", "Memory used by JavaScript objects.", () => process.memory().heapUsed);
  single(
    "lenswire_buffer_bytes",
    "Memory used by buffers, alive or not collected yet.",
    () => process.memory().external,
  );
  gauge(
    "lenswire_event_loop_lag_seconds",
    "How late timers came: the newest, the worst since the last scrape, 99 of 100 in the last minute.",
    () => Object.entries(lag.take()).map(([of, value]) => ({ value, labels: { of } })),
  );
  single("lenswire_log_bytes", "Payload bytes in the logs of frames.", () => budget.usedBytes);
  single("lenswire_log_limit_bytes", "Payload bytes that the logs of frames may hold.", () => budget.limitBytes);
  single("lenswire_rendition_bytes", "Bytes that wire forms of frames hold.", renditionBytes);
  single("lenswire_api_sockets", "Open sockets of /api/ws.", () => sockets.size);
  // Not by describing them: with hundreds of viewers that takes milliseconds.
  const perStream = (name: string, help: string, read: (stream: Stream) => number) =>
    gauge(
      name,
      help,
      () => streams.all.map((stream) => ({ value: read(stream), labels: { stream: redactUrls(stream.name) } })),
    );
  perStream("lenswire_stream_viewers", "Consumers of a stream.", ({ consumers }) => consumers.length);
  perStream("lenswire_stream_sources", "Sources of a stream.", ({ slots }) => slots.length);
}
