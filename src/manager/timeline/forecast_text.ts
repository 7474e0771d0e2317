import { isBlackedOut } from "../../core/time/blackout.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { tickRule } from "../../core/time/explain_tick.ts";
import type { ForecastTick, Outlook } from "../../core/time/forecast.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import type { Futures } from "./tick_forecast.ts";

/** The expected outcome of a future tick, in one sentence. */
export function tickWhy(
  outlook: Outlook,
  tick: ForecastTick,
  futures: Pick<Futures, "pauses" | "unserved">,
): string {
  const rule = tickRule(outlook.record.spec, tick.at);
  const part = tick.skipped === null
    ? runWhy(outlook, tick, futures)
    : skipWhy(outlook, tick, futures);
  return part === null ? rule : `${rule}; ${part}`;
}

function runWhy(
  { record, durationMs }: Outlook,
  { at, startsAt, replaces }: ForecastTick,
  { unserved }: Pick<Futures, "unserved">,
): string | null {
  const { kind, spec: { timezone, jitterMs } } = record;
  if (unserved.has(kind)) return `no node has a job "${kind}"`;
  if (replaces !== null) {
    return `it will probably stop the run before it, which takes ${
      usually(durationMs)
    } (overlap "replace")`;
  }
  if (startsAt > at) {
    const when = formatLocal(startsAt, timezone);
    return `it will probably wait until ${when} for the run before it (overlap "queue")`;
  }
  return jitterMs > 0 ? `it starts up to ${formatDuration(jitterMs)} later (jitter)` : null;
}

function skipWhy(
  { record, durationMs, pausedUntil }: Outlook,
  { at, skipped }: ForecastTick,
  { pauses, unserved }: Pick<Futures, "pauses" | "unserved">,
): string {
  const { spec, kind } = record;
  switch (skipped!) {
    case "blackout": {
      const window = spec.blackout?.find((text) => isBlackedOut([text], spec.timezone, at));
      return `it will be skipped: it is in the blackout window "${window}"`;
    }
    case "paused": {
      const until = pausedUntil === Infinity
        ? "the job, or everything, is paused"
        : `the job, or everything, is paused until ${formatLocal(pausedUntil!, spec.timezone)}`;
      const pause = pauses.find((one) => one.kind === null || one.kind === kind);
      const reason = pause?.reason ? ` ("${pause.reason}")` : "";
      return pausedUntil === Infinity
        ? `it will be skipped unless the pause ends before: ${until}${reason}`
        : `it will be skipped: ${until}${reason}`;
    }
    case "skip requested":
      return "it will be skipped on request (jobctl skip)";
    case "overlap": {
      const queue = spec.overlap === "queue" ? ", and its queue will be full" : "";
      return `it will probably be skipped: the run before it takes ${
        usually(durationMs)
      }${queue} (overlap "${spec.overlap}")`;
    }
    case "runs_max":
      return `it will not come: the schedule is finished after runs_max ${spec.runsMax}`;
    case "disabled":
      return `it will be skipped: its job is disabled: ${unserved.get(kind)}`;
  }
}

function usually(durationMs: number | null): string {
  return durationMs === null ? "long" : `usually ${formatDuration(durationMs)}`;
}
