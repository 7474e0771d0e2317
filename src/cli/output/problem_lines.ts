import { type Excerpt, Excerpts } from "../../config/excerpt.ts";
import { formatProblem } from "../../config/values/problems.ts";
import type { ConfigProblem } from "../../core/config_problem.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import type { Style } from "./table.ts";

/** Display settings of a problem. */
export interface ProblemStyle {
  /** Precedes it, such as "error:". */
  readonly label: string;
  readonly style: Style | undefined;
  readonly paint: (text: string, style: Style | undefined) => string;
}

/**
 * A problem of the configuration for people: its place and message, its line with the wrong part
 * marked below, and the remedy.
 */
export function problemLines(
  problem: ConfigProblem,
  excerpts: Excerpts,
  { label, style, paint }: ProblemStyle,
): string[] {
  const { hint, ...rest } = problem;
  const excerpt = excerpts.of(problem);
  return [
    `${paint(label, style)} ${makeLinesVisible(formatProblem(rest))}`,
    ...(excerpt === null ? [] : excerptLines(excerpt, (text) => paint(text, style))),
    ...(hint === undefined ? [] : [`  ${makeLinesVisible(hint)}`]),
  ];
}

function excerptLines(
  { line, text, start, length }: Excerpt,
  paint: (text: string) => string,
): string[] {
  const number = String(line).padStart(5);
  // Characters that are made visible have other widths.
  const [before, wrong] = [text.slice(0, start), text.slice(start, start + length)].map(
    makeVisible,
  );
  const marks = "^".repeat(Math.max(1, wrong!.length));
  return [
    `${number} | ${makeVisible(text)}`,
    `${" ".repeat(number.length)} | ${" ".repeat(before!.length)}${paint(marks)}`,
  ];
}

/** Shows problems in the form of `jobctl check`, at most `max` of them. */
export function refusalLines(
  problems: readonly ConfigProblem[],
  { cwd, max, paint }: Pick<ProblemStyle, "paint"> & { readonly cwd: string; readonly max: number },
): string[] {
  const excerpts = new Excerpts(cwd);
  const shown = problems.slice(0, max).flatMap((problem) =>
    problemLines(problem, excerpts, { label: "error:", style: "bad", paint })
  );
  const more = problems.length - max;
  return more > 0 ? [...shown, `and ${more} more: jobctl check lists them all`] : shown;
}
