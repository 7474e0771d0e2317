import { readFileSync } from "node:fs";
import { JobError } from "../../src/core/errors.ts";
import { machineText } from "./machine.ts";
import { type FigureReport, numberText, type ScenarioReport } from "./report.ts";

/** A worse median is a regression only beyond this share of the saved one. */
const SHARE = 0.1;
/** Smallest difference, by unit, that is more than noise of clocks and scheduling. */
const LEAST: Readonly<Record<string, number>> = { ms: 0.1, MB: 2, "MB more": 2, "ms/min": 5 };

/** A figure against the saved one. */
export interface Comparison {
  readonly name: string;
  readonly saved: FigureReport;
  readonly now: FigureReport;
  /** Worse beyond the spread of both runs and a tenth. */
  readonly isRegression: boolean;
}

/**
 * The reports of a saved run of `--json`. Lines that are not objects, such as npm's own, are
 * skipped.
 *
 * @throws JobError `invalid_argument` when there is none
 */
export function readSaved(file: string): readonly ScenarioReport[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new JobError("invalid_argument", `Cannot read "${file}": ${(error as Error).message}`);
  }
  const reports = text.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
    const report = JSON.parse(line) as ScenarioReport;
    return Array.isArray(report.figures) ? [report] : [];
  });
  if (reports.length > 0) return reports;
  throw new JobError("invalid_argument", `Cannot compare with "${file}": it has no reports`, {
    hint: "Save a run with: npm run --silent bench -- --json > FILE",
  });
}

/** Each figure that both runs have. */
export function compareReports(
  saved: ScenarioReport,
  now: ScenarioReport,
): readonly Comparison[] {
  return now.figures.flatMap((figure) => {
    const before = saved.figures.find(({ name }) => name === figure.name);
    if (!before) return [];
    const name = `${now.name} ${figure.name}`;
    return [{ name, saved: before, now: figure, isRegression: isRegression(before, figure) }];
  });
}

// The spreads do not touch, and the medians differ by more than what two quiet runs of the same
// code do.
function isRegression(saved: FigureReport, now: FigureReport): boolean {
  const sign = now.better === "higher" ? 1 : -1;
  const worse = (saved.median - now.median) * sign;
  const isApart = sign > 0 ? now.max < saved.min : now.min > saved.max;
  const least = Math.max(Math.abs(saved.median) * SHARE, LEAST[now.unit] ?? 0);
  return isApart && worse > least;
}

/** A comparison in one line. */
export function comparisonText({ name, saved, now, isRegression }: Comparison): string {
  const change = saved.median === 0 ? 0 : (now.median / saved.median - 1) * 100;
  const sign = change >= 0 ? "+" : "−";
  const numbers = `${numberText(saved.median).padStart(9)} → ${numberText(now.median).padStart(9)}`;
  const percent = `${sign}${Math.abs(change).toFixed(0)} %`.padStart(7);
  return `${name.padEnd(30)} ${numbers} ${now.unit.padEnd(9)} ${percent}  ${
    isRegression ? "WORSE" : ""
  }`.trimEnd();
}

/** The reason to doubt the comparison; null if there is none. */
export function doubt(saved: ScenarioReport, now: ScenarioReport): string | null {
  const [before, after] = [machineText(saved.machine), machineText(now.machine)];
  if (before !== after) return `the saved run is of another machine: ${before}`;
  const same = (["store", "jobs", "workers", "isQuick"] as const)
    .every((key) => saved.settings[key] === now.settings[key]);
  return same ? null : `the saved run has other settings: ${JSON.stringify(saved.settings)}`;
}
