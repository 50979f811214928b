/** Counters and gauges, in Prometheus' terms. */
export interface Metrics {
  counter(name: string, help: string): { add(count?: number, labels?: Readonly<Record<string, string>>): void };
  /** Read at scrape time; answers samples with their labels. */
  gauge(
    name: string,
    help: string,
    read: () => Iterable<{ value: number; labels?: Readonly<Record<string, string>> }>,
  ): void;
}
