/** Values by name and labels, as they stand in the text: `name{label="value"}`. */
export type Metrics = ReadonlyMap<string, number>;

/** Reads Prometheus's text format. */
export function parseMetrics(text: string): Metrics {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line);
    if (match) found.set(match[1]!, Number(match[2]));
  }
  return found;
}

/** The name of the metrics that scenarios look at. */
export const METRIC = {
  lagP99: 'lenswire_event_loop_lag_seconds{of="p99"}',
  logBytes: "lenswire_log_bytes",
  renditionBytes: "lenswire_rendition_bytes",
  heapBytes: "lenswire_heap_bytes",
} as const;
