import type { JSX } from "preact";
import type { KindCounts } from "../gen/api_types.ts";
import { formatCount } from "../text/format_time.ts";

/** Share of the finished runs that succeeded. */
export function RateBar({ counts }: { readonly counts: KindCounts | undefined }): JSX.Element {
  const good = counts?.completed ?? 0;
  const bad = (counts?.terminated ?? 0) + (counts?.timed_out ?? 0);
  if (good + bad === 0) return <span class="none">–</span>;
  // Rounded down: with one failure among many it is below 100 %.
  const percent = Math.floor(good / (good + bad) * 1_000) / 10;
  return (
    <span
      class="rate"
      title={`${formatCount(good)} completed, ${formatCount(bad)} failed`}
    >
      <meter min={0} max={100} value={percent} aria-label="Success rate" />
      <span class={bad > 0 ? "num bad-text" : "num"}>{percent} %</span>
    </span>
  );
}
