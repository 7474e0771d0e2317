import { type Machine, machineText } from "./machine.ts";
import {
  type Figures,
  type FigureSpec,
  type Scenario,
  type Settings,
  storeKind,
} from "./scenario.ts";
import { summarize, type Summary } from "./statistics.ts";

/** One figure over all runs. */
export interface FigureReport extends Summary {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Null without one for this store. */
  readonly target: number | null;
  readonly isMet: boolean | null;
}

/** One scenario over all runs, as `--json` prints it; the first figure stands also at the top. */
export interface ScenarioReport extends Summary {
  readonly name: string;
  readonly unit: string;
  readonly runs: number;
  readonly figures: readonly FigureReport[];
  readonly settings: Settings;
  readonly machine: Machine;
}

/** Sum up the runs of one scenario. */
export function reportOf(
  scenario: Scenario,
  runs: readonly Figures[],
  context: { readonly settings: Settings; readonly machine: Machine },
): ScenarioReport {
  const figures = scenario.figures.map((spec) => {
    const summary = summarize(runs.map((run) => run[spec.name]!));
    return figureReport(spec, summary, context.settings);
  });
  const [{ unit, median, min, max }] = figures as [FigureReport];
  const { name } = scenario;
  return { name, unit, median, min, max, runs: runs.length, figures, ...context };
}

function figureReport(spec: FigureSpec, summary: Summary, settings: Settings): FigureReport {
  const { name, unit, better } = spec;
  const target = spec.target?.[storeKind(settings.store)] ?? spec.target?.any ?? null;
  const isMet = target === null
    ? null
    : better === "higher"
    ? summary.median >= target
    : summary.median <= target;
  return { name, unit, better, ...summary, target, isMet };
}

/** A scenario's figures, a line each: median, spread, target. */
export function reportText(report: ScenarioReport): string {
  return report.figures.map((figure) => {
    const name = `${report.name} ${figure.name}`.padEnd(30);
    const value = numberText(figure.median).padStart(9);
    const spread = `(${numberText(figure.min)} – ${numberText(figure.max)})`;
    return `${name} ${value} ${figure.unit.padEnd(9)} ${spread.padEnd(21)} ${verdict(figure)}`
      .trimEnd();
  }).join("\n");
}

function verdict({ target, isMet, better }: FigureReport): string {
  if (target === null) return "";
  return `${isMet ? "met" : "MISSED"}: ${better === "higher" ? "≥" : "≤"} ${numberText(target)}`;
}

/** A number as people read it. */
export function numberText(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 });
}

/** Machine and settings of a run, in one line. */
export function headline(machine: Machine, settings: Settings): string {
  const { jobs, workers, store, runs } = settings;
  return `${machineText(machine)}; store ${store}, ${jobs} jobs, ${workers} workers, ${runs} runs`;
}

/** The reports that a run with `--json` printed. Other lines, such as npm's own, are skipped. */
export function readReports(text: string): readonly ScenarioReport[] {
  return text.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
    const report = JSON.parse(line) as ScenarioReport;
    return Array.isArray(report.figures) ? [report] : [];
  });
}
