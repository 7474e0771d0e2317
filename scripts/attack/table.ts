import type { Report } from "./measure.ts";

const COLUMNS = [
  "attack",
  "ticks",
  "lost",
  "p50 ms",
  "p99 ms",
  "peak MB",
  "MB after (s)",
  "verdict",
  "did",
] as const;
const WIDTHS = [20, 5, 4, 6, 6, 7, 12, 7, 0];

function line(cells: readonly string[]): string {
  return cells.map((cell, place) => {
    const width = WIDTHS[place]!;
    return place === 0 || place >= 7 ? cell.padEnd(width) : cell.padStart(width);
  }).join("  ").trimEnd();
}

/** The first line of the table. */
export function tableHead(): string {
  return line(COLUMNS);
}

/** One line of it. */
export function tableRow(report: Report): string {
  const { name, ticks, lost, p50, p99, peak, after, afterMs, problems, tally } = report;
  const ms = (value: number) => Number.isNaN(value) ? "-" : String(Math.round(value));
  const did = Object.entries(tally).map(([what, count]) =>
    what.startsWith("bytes")
      ? `${(count / 1e6).toFixed(1)} MB${what.slice(5)}`
      : `${count.toLocaleString("en")} ${what}`
  ).join(", ");
  return line([
    ...[name, String(ticks), String(lost), ms(p50), ms(p99), ms(peak)],
    `${ms(after)} (${ms(afterMs / 1_000)})`,
    problems.length === 0 ? "holds" : "FAILS",
    problems.length === 0 ? did : `${problems.join("; ")} | ${did}`,
  ]);
}
