import { numberText } from "../report.ts";
import { summarize } from "../statistics.ts";
import type { PairedFigure, PairedScenario } from "./paired_scenario.ts";
import { type Ratio, ratioOf, type Verdict } from "./verdict.ts";

/** A figure that is printed. */
export interface ComparedFigure {
  readonly scenario: string;
  readonly figure: PairedFigure;
  readonly verdict: Verdict;
  /** True if the number of pairs depends on it. */
  readonly isDeciding: boolean;
}

/** The newest state of a scenario in one line, for people who wait. */
export function progressLine({ name, pairCount, deciding }: PairedScenario): string {
  const states = deciding.map(({ name, pairs }) => `${name} ${ratioText(ratioOf(pairs))}`);
  return `${name}, pair ${pairCount}: ${states.join(", ")}`;
}

/** A figure in one line: its medians, how many times as large it is now, and the verdict. */
export function comparisonLine(
  { scenario, figure, verdict, isDeciding }: ComparedFigure,
  { asJson, label }: { readonly asJson: boolean; readonly label: string },
): string {
  const { name, unit, pairs } = figure;
  const [before, now] = (["before", "now"] as const).map((side) =>
    summarize(pairs.map((pair) => pair[side])).median
  ) as [number, number];
  const ratio = ratioOf(pairs);
  if (asJson) {
    const count = pairs.length;
    const parts = { scenario: scenario, name, unit, before, now, ratio, pairs: count };
    return JSON.stringify({ ...parts, verdict, isDeciding, against: label });
  }
  const medians = `${numberText(before).padStart(9)} → ${numberText(now).padStart(9)}`;
  const count = `${pairs.length} pairs`.padStart(8);
  return `${`${scenario} ${name}`.padEnd(30)} ${medians} ${unit.padEnd(9)} ${
    ratioText(ratio).padEnd(23)
  } ${count}  ${isDeciding ? verdict : `(${verdict})`}`;
}

function ratioText(ratio: Ratio | null): string {
  if (ratio === null) return "no ratio";
  const [mean, low, high] = [ratio.mean, ratio.low, ratio.high].map((each) => each.toFixed(3));
  return `× ${mean} (${low} – ${high})`;
}
