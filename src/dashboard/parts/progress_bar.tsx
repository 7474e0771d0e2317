import type { JSX } from "preact";
import type { Progress } from "../gen/api_types.ts";
import { formatCount } from "../text/format_time.ts";

/** Progress of an attempt, as reported. */
export function ProgressBar({ progress }: {
  readonly progress: Progress | undefined;
}): JSX.Element | null {
  if (progress === undefined) return null;
  const { done, total } = progress;
  if (total === undefined || total <= 0) return <span class="num">{formatCount(done)}</span>;
  const percent = Math.max(0, Math.min(100, Math.floor(done / total * 100)));
  return (
    <span class="progress" title={`${formatCount(done)} of ${formatCount(total)}`}>
      <progress value={percent} max={100} aria-label="Progress" />
      <span class="num">{percent} %</span>
    </span>
  );
}
