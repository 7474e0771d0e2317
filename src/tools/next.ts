import { isJobError, JobError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job.ts";
import { nearest } from "../core/nearest.ts";
import { SCHEDULE_DEFAULTS, type ScheduleSpec } from "../core/schedule.ts";
import { formatScheduleText, parseScheduleText } from "../core/ticks.ts";
import { openZone } from "../core/zone.ts";
import { type RunTime, runTimes } from "./run_times.ts";

/** Most rows of one answer. */
const COUNT_MAX = 1000;

/** What {@link nextRuns} is asked. */
export interface NextRequest {
  /** A schedule as text, or the kind of one of `jobs`. */
  readonly text: string;
  /** Zone of an expression that names none; null for UTC, and for a kind's own zone. */
  readonly timezone: string | null;
  /** Runs are later than this, epoch ms; `nowMs` when left out. */
  readonly afterMs?: number;
  readonly nowMs: number;
  readonly count: number;
  /** Jobs of the configuration, when there is one. */
  readonly jobs?: readonly JobDefinition[];
}

/** One coming run and the schedule that it comes from. */
export interface NextRun extends RunTime {
  /** The schedule as text. */
  readonly schedule: string;
}

/**
 * The next runs of an expression, or of all schedules of a kind, in the order of time.
 *
 * @throws JobError `not_found` for an unknown kind, `invalid_argument` for an expression or a zone that is none, for a count
 * out of range, and for a kind without a schedule
 */
export function nextRuns(request: NextRequest): NextRun[] {
  const { nowMs, count, afterMs = nowMs } = request;
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    const wanted = `found ${count}, wanted an integer from 1 to ${COUNT_MAX}`;
    throw new JobError("invalid_argument", `Cannot list the next runs: ${wanted}`, {
      path: "count",
    });
  }
  return specsOf(request)
    .flatMap((spec) =>
      runTimes(spec, { afterMs, nowMs, count })
        .map((time) => ({ ...time, schedule: formatScheduleText(spec) }))
    )
    .sort((a, b) => a.at - b.at)
    .slice(0, count);
}

function specsOf(request: NextRequest): ScheduleSpec[] {
  const { text, timezone, jobs = [] } = request;
  if (timezone !== null) openZone(timezone);
  const job = jobs.find((candidate) => candidate.kind === text);
  if (job !== undefined) {
    if (job.schedules.length === 0) {
      throw new JobError(
        "invalid_argument",
        `Cannot list the runs of "${text}": it has no schedule`,
        {
          hint: `Add schedule = "…" to [jobs.${text}]`,
        },
      );
    }
    return job.schedules.map(({ spec }) => ({ ...spec, timezone: timezone ?? spec.timezone }));
  }
  return [specOfText(text, timezone ?? "UTC", jobs)];
}

function specOfText(
  text: string,
  timezone: string,
  jobs: readonly JobDefinition[],
): ScheduleSpec {
  try {
    const parsed = parseScheduleText(text);
    return {
      cron: parsed.cron,
      everyMs: parsed.everyMs,
      timezone: parsed.timezone ?? timezone,
      ...SCHEDULE_DEFAULTS,
    };
  } catch (error) {
    // One word is rather a kind than an expression.
    if (!isJobError(error, "invalid_argument") || !/^[\w.:-]+$/.test(text)) throw error;
    const near = nearest(text, jobs.map(({ kind }) => kind));
    throw new JobError("not_found", `Cannot list the runs of "${text}": no such kind`, {
      hint: near === null
        ? 'Give a kind of the config, or an expression such as "30 2 * * *"'
        : `Did you mean "${near}"?`,
      cause: error,
    });
  }
}
