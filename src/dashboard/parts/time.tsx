import type { JSX } from "preact";
import { minute, second } from "../browser/clock.ts";
import { shownZone } from "../state/settings.ts";
import {
  formatDistance,
  formatDuration,
  formatTime,
  msOf,
  type TimeDetail,
} from "../text/format_time.ts";

interface TimeProps {
  readonly at: string | undefined;
  /** Zone of the job that the time is about. */
  readonly zone?: string;
  readonly detail?: TimeDetail;
}

/** A time on the clock of the chosen zone. */
export function Time({ at, zone, detail }: TimeProps): JSX.Element {
  const ms = msOf(at);
  if (!Number.isFinite(ms)) return <span class="none">–</span>;
  const shown = shownZone(zone);
  // The minute is enough to know what "today" is.
  const nowMs = minute.value;
  return (
    <time dateTime={at} title={formatTime(ms, shown, { nowMs, detail: "full" })}>
      {formatTime(ms, shown, { nowMs, detail })}
    </time>
  );
}

/** Distance of a time from now, counted on. */
export function Distance({ at, zone }: TimeProps): JSX.Element {
  const ms = msOf(at);
  if (!Number.isFinite(ms)) return <span class="none">–</span>;
  const nowMs = second.value;
  return (
    <time
      dateTime={at}
      class="num"
      title={formatTime(ms, shownZone(zone), { nowMs, detail: "full" })}
    >
      {formatDistance(ms, nowMs)}
    </time>
  );
}

/** Duration of something, so far or in all. */
export function Duration({ from, to }: {
  readonly from: string | undefined;
  readonly to?: string;
}): JSX.Element {
  const fromMs = msOf(from);
  if (!Number.isFinite(fromMs)) return <span class="none">–</span>;
  const toMs = to === undefined ? Math.max(fromMs, second.value) : msOf(to);
  return <span class="num">{formatDuration(toMs - fromMs)}</span>;
}
