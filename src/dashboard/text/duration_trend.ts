import type { JobStatsBucket } from "../gen/api_types.ts";
import { formatDuration } from "./format_time.ts";

/** Fewest runs in a half of the span: fewer show no trend. */
const RUNS_MIN = 5;
/** A smaller change is noise. */
const CHANGE_MIN = 0.1;

/** The usual duration of runs in parts of a span; null for too few. */
function usualMs(buckets: readonly JobStatsBucket[]): number | null {
  let runs = 0;
  let sum = 0;
  for (const { durations } of buckets) {
    if (durations === undefined) continue;
    runs += durations.runs;
    sum += durations.runs * durations.p50_ms;
  }
  return runs < RUNS_MIN ? null : sum / runs;
}

/**
 * Comparison, in words, of the runs in the two halves of a span, if the second took longer.
 *
 * @returns null if there are too few runs to say
 */
export function durationTrend(buckets: readonly JobStatsBucket[]): string | null {
  const middle = buckets.length >> 1;
  const before = usualMs(buckets.slice(0, middle));
  const after = usualMs(buckets.slice(middle));
  if (before === null || after === null || before === 0) return null;
  const change = after / before - 1;
  if (Math.abs(change) < CHANGE_MIN) return "about the same in both halves of this span";
  const percent = Math.round(Math.abs(change) * 100);
  return `${percent} % ${change > 0 ? "slower" : "faster"}: ${formatDuration(before)} in the ` +
    `first half of this span, ${formatDuration(after)} in the second`;
}
