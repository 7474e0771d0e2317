/** A figure as both sides measured it, one right after the other. */
export interface Pair {
  readonly before: number;
  readonly now: number;
}

/** How many times as large a figure is now, with the ends of a 95 % interval. */
export interface Ratio {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** How a figure has changed. "undecided": by the pairs so far, it may be any of the others. */
export type Verdict = "better" | "worse" | "same" | "undecided";

/** An interval that reaches less far than this from its middle decides. */
const WIDTH_MAX = 0.04;
/** A change up to this is none: two builds of one source differ as much. */
const SAME_SHARE = 0.01;
/** Fewer pairs have no interval. */
const PAIRS_MIN = 3;
/**
 * Share of the pairs that is left out at either end. A machine with two speeds changes between the
 * halves of some pairs: those ratios are far off, upwards as often as downwards.
 */
const TRIMMED_SHARE = 0.2;
/** Student's t for 95 %, by degrees of freedom from 2 on: as many as 40 pairs have. */
const T = [
  ...[4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179],
  ...[2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069],
];
/** Most pairs of one figure. */
export const PAIRS_MAX = 40;

/**
 * The mean ratio of some pairs and its interval: the trimmed mean of their logarithms, by Yuen's
 * method.
 *
 * @returns null for fewer than three pairs, and if a value is not above 0
 */
export function ratioOf(pairs: readonly Pair[]): Ratio | null {
  if (pairs.length < PAIRS_MIN || pairs.some(({ before, now }) => !(before > 0 && now > 0))) {
    return null;
  }
  const logs = pairs.map(({ before, now }) => Math.log(now / before)).sort((a, b) => a - b);
  const cut = Math.floor(logs.length * TRIMMED_SHARE);
  const kept = logs.slice(cut, logs.length - cut);
  const mean = meanOf(kept);
  // What was cut counts as the nearest kept value.
  const ends = [kept[0]!, kept.at(-1)!];
  const all = [...kept, ...ends.flatMap((end) => Array<number>(cut).fill(end))];
  const middle = meanOf(all);
  const squares = all.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const error = Math.sqrt(squares / (kept.length * (kept.length - 1)));
  const reach = error * (T[kept.length - 3] ?? T.at(-1)!);
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** True if more pairs would hardly change the ratio. */
export function isSettled(pairs: readonly Pair[]): boolean {
  const ratio = ratioOf(pairs);
  if (ratio === null) return pairs.length >= PAIRS_MIN && isEqual(pairs);
  return Math.log(ratio.high / ratio.low) / 2 < Math.log(1 + WIDTH_MAX);
}

/** How a figure has changed, by some pairs of it. */
export function verdictOf(pairs: readonly Pair[], better: "higher" | "lower"): Verdict {
  const ratio = ratioOf(pairs);
  if (ratio === null) return isSettled(pairs) ? "same" : "undecided";
  if (ratio.low > 1 + SAME_SHARE) return better === "higher" ? "better" : "worse";
  if (ratio.high < 1 - SAME_SHARE) return better === "higher" ? "worse" : "better";
  return isSettled(pairs) ? "same" : "undecided";
}

function isEqual(pairs: readonly Pair[]): boolean {
  return pairs.every(({ before, now }) => before === now);
}
