import type { Metrics } from "../util/metrics.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = { readonly value: number; readonly labels?: Labels };

interface Metric {
  readonly kind: "counter" | "gauge";
  readonly help: string;
  read(): Iterable<Sample>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** A counter whose labels come from outside must not grow for ever; what is over goes without labels. */
const MAX_SERIES = 1000;

/** The program's metrics, in the text format of Prometheus 0.0.4. */
export class MetricTable {
  readonly #metrics = new Map<string, Metric>();

  /** The counters and gauges of one owner; each is handed to `onAdd` with what removes it. */
  scope(onAdd: (remove: () => void) => void): Metrics {
    return {
      counter: (name, help) => {
        const series = new Map<string, { value: number; labels?: Labels }>();
        onAdd(this.#add(name, { kind: "counter", help, read: () => series.values() }));
        return {
          add: (count = 1, labels) => {
            const key = labels ? formatLabels(labels) : "";
            const isKnown = series.has(key) || series.size < MAX_SERIES;
            const sample = series.get(isKnown ? key : "") ?? { value: 0, ...(isKnown && labels ? { labels } : {}) };
            sample.value += count;
            series.set(isKnown ? key : "", sample);
          },
        };
      },
      gauge: (name, help, read) => onAdd(this.#add(name, { kind: "gauge", help, read })),
    };
  }

  #add(name: string, metric: Metric): () => void {
    if (!NAME.test(name)) throw new TypeError(`Metric name "${name}" may hold letters, digits, "_" and ":" only`);
    if (this.#metrics.has(name)) throw new Error(`Metric "${name}" is there already, choose another name`);
    this.#metrics.set(name, metric);
    return () => void this.#metrics.delete(name);
  }

  /** All samples as text; a gauge that fails is left out. */
  text(): string {
    const lines: string[] = [];
    for (const [name, { kind, help, read }] of this.#metrics) {
      const samples = readAll(read);
      if (!samples) continue;
      lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${kind}`);
      for (const { value, labels } of samples) lines.push(`${name}${labels ? formatLabels(labels) : ""} ${value}`);
    }
    return lines.join("\n") + "\n";
  }
}

function readAll(read: () => Iterable<Sample>): Sample[] | undefined {
  try {
    return [...read()];
  } catch {
    // One broken gauge must not hide the others.
    return undefined;
  }
}

function formatLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => {
    const text = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name}="${text}"`;
  });
  return parts.length > 0 ? `{${parts.join(",")}}` : "";
}

const LAG_EVERY_MS = 250;
/** A minute of measurements. */
const LAGS_KEPT = 240;

/** Measures how late timers come: what blocks the program. */
export class LagMeter implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #lags = new Float32Array(LAGS_KEPT);
  #count = 0;
  #dueMs = performance.now() + LAG_EVERY_MS;
  #lastMs = 0;
  #worstMs = 0;

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      this.#lastMs = Math.max(0, nowMs - this.#dueMs);
      this.#worstMs = Math.max(this.#worstMs, this.#lastMs);
      this.#lags[this.#count++ % LAGS_KEPT] = this.#lastMs;
      this.#dueMs = nowMs + LAG_EVERY_MS;
    }, LAG_EVERY_MS);
  }

  /** Seconds that timers were late: the newest, the worst since this was last asked, and of the last minute. */
  take(): { last: number; worst: number; p99: number } {
    const lags = this.#lags.slice(0, this.#count).sort();
    const p99 = lags[Math.ceil(lags.length * 0.99) - 1] ?? 0;
    const taken = { last: this.#lastMs / 1000, worst: this.#worstMs / 1000, p99: p99 / 1000 };
    this.#worstMs = 0;
    return taken;
  }
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
