/** One thing that was measured, and what it may be. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** With a peer beside, what it may be at most as a multiple of the peer's figure, in place of `atMost`. */
  readonly besidePeer?: number;
}

/** A figure with what became of its bar. */
export interface Verdict extends Figure {
  readonly peer?: number;
  /** `undefined`: there is no bar. */
  readonly held: boolean | undefined;
  readonly bar: string;
}

/** Judges figures, by those of a peer with the same name where there are some. */
export function judge(figures: readonly Figure[], peers: readonly Figure[] = []): Verdict[] {
  return figures.map((figure) => {
    const peer = peers.find(({ what }) => what === figure.what)?.value;
    const isBeside = figure.besidePeer !== undefined && peer !== undefined && !Number.isNaN(peer);
    const atMost = isBeside ? figure.besidePeer! * peer : figure.atMost;
    const { value, atLeast } = figure;
    const held = atMost !== undefined ? value <= atMost : atLeast !== undefined ? value >= atLeast : undefined;
    const bar = atMost !== undefined ? `≤ ${format(atMost)}` : atLeast !== undefined ? `≥ ${format(atLeast)}` : "";
    return { ...figure, ...(peer === undefined ? {} : { peer }), held, bar };
  });
}

export function format(value: number): string {
  if (Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

/** The verdicts of a scenario as lines of a table. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const hasPeer = verdicts.some(({ peer }) => peer !== undefined);
  const rows = verdicts.map(({ what, value, unit, peer, bar, held }) => [
    what,
    `${format(value)} ${unit}`,
    ...(hasPeer ? [peer === undefined ? "" : `${format(peer)} ${unit}`] : []),
    bar,
    held === undefined ? "" : held ? "held" : "MISSED",
  ]);
  const header = ["", "measured", ...(hasPeer ? ["peer"] : []), "bar", ""];
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    "  " +
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ")
  ).join("\n");
}
