import { countText } from "../../core/text/count_text.ts";
import { formatDuration, runText } from "../../core/time/duration.ts";
import type { Durations, Simulated } from "../../tools/simulate.ts";
import type { ClockChange } from "../../tools/simulation/clock_changes.ts";
import type { KindDifference } from "../../tools/simulation/difference.ts";
import type { KindReport, SimulationReport } from "../../tools/simulation/report.ts";
import type { Printer } from "../output/printer.ts";
import type { Column, PlainRecord } from "../output/view.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { formatAbsolute, isoText } from "../output/when.ts";

/** Effects of clock changes in words. Ineffective ones are only counted. */
const EFFECTS: Readonly<Record<NonNullable<ClockChange["effect"]>, string>> = {
  moved: "its time is left out: runs at the change",
  once: "its time comes twice: runs the first time",
  follows: "follows the clock",
};

function kindRecord(kind: KindReport): PlainRecord {
  const { ran, skipped, replaced, pending, overlaps } = kind;
  return {
    kind: kind.kind,
    duration_ms: kind.durationMs,
    ran,
    skipped,
    replaced,
    pending,
    overlaps,
    first_overlap_at: isoText(kind.overlapAt),
    longest_wait_ms: kind.waitMaxMs,
    longest_wait_at: isoText(kind.waitMaxAt),
  };
}

function reportRecord(report: SimulationReport): PlainRecord {
  const { load } = report;
  return {
    from: isoText(report.fromMs),
    to: isoText(report.toMs),
    workers: report.workers,
    schedules: report.schedules,
    ticks: report.ticks,
    queue: { most: load.depthMax, at: isoText(load.depthMaxAt) },
    running: { most: load.runningMax },
    busy: { most: load.busyMax, share: busyShare(report) },
    kinds: report.kinds.map(kindRecord),
    clock_changes: report.clockChanges.map((change) => ({
      kind: change.kind,
      schedule_id: change.scheduleId,
      timezone: change.timezone,
      at: isoText(change.at),
      shift_ms: change.shiftMs,
      ticks: change.count,
      times: change.times,
      effect: change.effect,
    })),
  };
}

/** A simulation as plain data. */
export function simulationRecord(
  { report, against }: Simulated,
  durations: Durations,
): PlainRecord {
  const record = { ...reportRecord(report), durations: originsOf(report, durations) };
  if (!against) return record;
  return {
    ...record,
    against: reportRecord(against.report),
    differences: against.differences.map((difference) => ({
      kind: difference.kind,
      both: difference.both,
      only_here: difference.onlyBefore,
      first_only_here: difference.onlyBeforeAt.map((at) => isoText(at)!),
      only_against: difference.onlyAfter,
      first_only_against: difference.onlyAfterAt.map((at) => isoText(at)!),
    })),
  };
}

function busyShare({ load, workers, fromMs, toMs }: SimulationReport): number {
  return Math.round(1_000 * load.busyMs / (workers * (toMs - fromMs))) / 1_000;
}

/** A simulation as lines for people. */
export function simulationLines(
  { report, against }: Simulated,
  durations: Durations,
  printer: Printer,
): string[] {
  const lines = [
    ...headLines(report),
    "",
    ...printer.tableLines(KIND_COLUMNS, report.kinds),
    ...(report.kinds.length === 0 ? [] : [originLine(originsOf(report, durations))]),
  ];
  const touched = report.clockChanges.filter(({ effect }) => effect !== null);
  if (report.clockChanges.length > 0) {
    const calm = report.clockChanges.length - touched.length;
    lines.push("", `Clock changes (${calm} more affect nothing):`);
    lines.push(...touched.map(changeLine));
  }
  if (!against) return lines;
  lines.push("", "Against the other configuration:", ...headLines(against.report).slice(1));
  if (against.differences.length === 0) lines.push("Every run is the same");
  return [...lines, ...against.differences.map(differenceLine)];
}

/** Kinds by the source of their duration. */
type Origins = Readonly<Record<"given" | "measured" | "assumed", readonly string[]>>;

function originsOf({ kinds }: SimulationReport, { known, named }: Durations): Origins {
  const names = kinds.map(({ kind }) => kind);
  return {
    given: names.filter((kind) => named.includes(kind)),
    measured: names.filter((kind) => known.has(kind) && !named.includes(kind)),
    assumed: names.filter((kind) => !known.has(kind)),
  };
}

function originLine({ given, measured, assumed }: Origins): string {
  const parts = [
    ["given", given],
    ["of the daemon's last runs", measured],
    ["assumed (see --assume)", assumed],
  ] as const;
  const texts = parts.filter(([, kinds]) => kinds.length > 0)
    .map(([origin, kinds]) => `${origin}: ${kinds.map(makeVisible).join(", ")}`);
  return `Durations ${texts.join("; ")}`;
}

function headLines(report: SimulationReport): string[] {
  const { load, workers, schedules, ticks } = report;
  const depth = load.depthMaxAt === null
    ? "none"
    : `${load.depthMax} at ${formatAbsolute(load.depthMaxAt)}`;
  const share = `${(100 * busyShare(report)).toFixed(1)} %`;
  return [
    `${formatAbsolute(report.fromMs)} to ${formatAbsolute(report.toMs)}`,
    `${countText(ticks, "tick")} of ${countText(schedules, "schedule")}; ${
      countText(workers, "worker")
    } busy ${share} of the time`,
    `Most runs at once: ${load.runningMax}; most that waited for a worker: ${depth}`,
  ];
}

const KIND_COLUMNS: readonly Column<KindReport>[] = [
  { title: "KIND", least: 12, weight: 9, cell: ({ kind }) => kind },
  { title: "RAN", isNumber: true, weight: 8, cell: ({ ran }) => ran },
  { title: "SKIPPED", isNumber: true, weight: 6, cell: ({ skipped }) => skipped },
  { title: "REPLACED", isNumber: true, weight: 3, cell: ({ replaced }) => replaced },
  { title: "PENDING", isNumber: true, weight: 2, cell: ({ pending }) => pending },
  { title: "OVERLAPS", isNumber: true, weight: 7, cell: ({ overlaps }) => overlaps },
  {
    title: "FIRST OVERLAP",
    cell: ({ overlapAt }) => overlapAt === null ? "" : formatAbsolute(overlapAt),
  },
  { title: "LONGEST WAIT", weight: 4, cell: ({ waitMaxMs }) => runText(waitMaxMs) },
  { title: "DURATION", weight: 4, cell: ({ durationMs }) => runText(durationMs) },
];

function changeLine(change: ClockChange): string {
  const { shiftMs, effect } = change;
  const shift = `${shiftMs > 0 ? "+" : "-"}${formatDuration(Math.abs(shiftMs))}`;
  const times = change.times.join(", ");
  const head = `  ${formatAbsolute(change.at)} ${change.timezone} ${shift}  ${
    makeVisible(change.kind)
  }`;
  return `${head}: ${EFFECTS[effect!]}; ${
    countText(change.count, "run")
  } that day, near it ${times}`;
}

function differenceLine(difference: KindDifference): string {
  const side = (label: string, count: number, at: readonly number[]) =>
    count === 0 ? [] : [`${count} only ${label} (first ${at.map(formatAbsolute).join(", ")})`];
  const parts = [
    ...side("here", difference.onlyBefore, difference.onlyBeforeAt),
    ...side("there", difference.onlyAfter, difference.onlyAfterAt),
    `${difference.both} in both`,
  ];
  return `  ${makeVisible(difference.kind)}: ${parts.join("; ")}`;
}
