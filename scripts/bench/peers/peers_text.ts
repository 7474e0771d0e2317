import { numberText } from "../report.ts";
import type { Summary } from "../statistics.ts";
import type { PeerFigures, PeersReport } from "./peers.ts";

/** Headings by figure, in the order of the columns. */
const HEADINGS: Readonly<Record<string, string>> = {
  rate: "jobs/s",
  one: "one caller, /s",
  callers: "16 callers, /s",
  batches: "batches of 1,000, /s",
  ready: "ready, ms",
  memory: "memory, MB",
  cpu: "CPU, ms/min",
  p50: "p50, ms",
  p99: "p99, ms",
  early: "early",
  started: "runs",
};

const TITLES: Readonly<Record<string, string>> = {
  "end-to-end": "End to end, 10,000 jobs that do nothing, 16 at once",
  "enqueue": "Enqueue",
  "pick-up": "Pick-up, idle: call to start of the job's code",
  "delayed": "Delayed jobs: how late they start",
  "cron": "10,000 cron entries in one process, 17 due at each second",
};

/** The tables in Markdown, then the judged ratios. */
export function peersMarkdown(report: PeersReport): string {
  const tables = Object.entries(report.parts).map(([name, rows]) => table(name, rows));
  const ratios = report.ratios.map(({ ours, peer, ratio, atLeast }) => {
    const verdict = ratio >= atLeast ? "met" : "**missed**";
    return `| ${ours.label} to ${peer.label} | ${ratio.toFixed(2)} | ≥ ${atLeast} | ${verdict} |`;
  });
  const judged = ["| ratio, end to end | measured | target | |", "|---|---|---|---|", ...ratios];
  return [...tables, ...ratios.length > 0 ? [judged.join("\n")] : [], versionsText(report)]
    .join("\n\n");
}

function table(name: string, rows: readonly PeerFigures[]): string {
  const columns = Object.keys(HEADINGS).filter((key) => key in rows[0]!.figures);
  const first = columns[0]!;
  const ours = rows[0]!.figures[first]!.median;
  const ratioText = (value: number) => (value / ours).toFixed(value / ours < 10 ? 2 : 0);
  const lines = rows.map(({ entrant, figures }) => {
    const cells = columns.map((key) => cell(figures[key]!));
    return `| ${entrant.label} | ${cells.join(" | ")} | ${ratioText(figures[first]!.median)} |`;
  });
  const heads = columns.map((key) => HEADINGS[key]);
  return [
    `### ${TITLES[name]}`,
    "",
    `| | ${heads.join(" | ")} | × ours |`,
    `|---|${"---|".repeat(columns.length + 1)}`,
    ...lines,
  ].join("\n");
}

function cell({ median, min, max }: Summary): string {
  if (min === max) return numberText(median);
  return `${numberText(median)} (${numberText(min)} – ${numberText(max)})`;
}

function versionsText({ versions }: PeersReport): string {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `Versions: ${list.join(", ")}.`;
}
