import { succeeds } from "../core/or_else.ts";
import { SCHEDULE_DEFAULTS } from "../core/job/option_table.ts";
import { formatPath } from "../config/values/source.ts";
import { isJobError, JobError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { formatLocal } from "../core/time/local_time.ts";
import { didYouMean } from "../core/text/nearest.ts";
import type { ScheduleSpec } from "../core/time/schedule.ts";
import { formatScheduleText, parseScheduleText } from "../core/time/ticks.ts";
import { openZone } from "../core/time/zone.ts";
import { type RunTime, runTimes } from "./run_times.ts";

/** Most runs returned at once. */
const COUNT_MAX = 1000;

/** Parameters of {@link nextRuns}. */
export interface NextRequest {
  /** Schedules as text, or kinds of `jobs`. */
  readonly texts: readonly string[];
  /** Default zone of expressions (null for UTC). For schedules with a zone, the viewer's zone. */
  readonly timezone: string | null;
  /** Zone of the viewer without `timezone`; may be null. */
  readonly viewerTimezone?: string | null;
  /** The kind that determines the values of `H` and `~`. */
  readonly seed?: string;
  /** Runs are later than this, epoch ms; `nowMs` by default. */
  readonly afterMs?: number;
  readonly nowMs: number;
  readonly count: number;
  /** Jobs of the configuration; undefined without one. */
  readonly jobs?: readonly JobDefinition[];
}

/** One coming run and its schedule. */
export interface NextRun extends RunTime {
  /** The kind of its job; null for an expression. */
  readonly kind: string | null;
  /** The schedule as text. */
  readonly schedule: string;
  /** Wall time of the viewer, if in another zone. */
  readonly viewer: { readonly timezone: string; readonly local: string } | null;
}

/** A schedule and the viewer's zone. */
interface Seen {
  readonly kind: string | null;
  readonly spec: ScheduleSpec;
  readonly viewer: string | null;
}

/**
 * The next runs of expressions, or of all schedules of kinds, in the order of time.
 *
 * @throws JobError `not_found` for an unknown kind; `invalid_argument` for an invalid expression or
 * zone, a count out of range, and a kind without a schedule
 */
export function nextRuns(request: NextRequest): NextRun[] {
  const { nowMs, count, afterMs = nowMs } = request;
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    const wanted = `found ${count}, wanted an integer from 1 to ${COUNT_MAX}`;
    throw new JobError("invalid_argument", `Cannot list the next runs: ${wanted}`, {
      path: "count",
    });
  }
  if (request.timezone !== null) openZone(request.timezone);
  return request.texts.flatMap((text) => specsOf(text, request))
    .flatMap(({ kind, spec, viewer }) =>
      runTimes(spec, { afterMs, nowMs, count }).map((time) => ({
        ...time,
        kind,
        schedule: formatScheduleText(spec),
        viewer: viewer === null || viewer === spec.timezone
          ? null
          : { timezone: viewer, local: formatLocal(time.at, viewer) },
      }))
    )
    .sort((a, b) => a.at - b.at)
    .slice(0, count);
}

function specsOf(text: string, request: NextRequest): Seen[] {
  const { timezone, viewerTimezone = null, jobs = [] } = request;
  const job = jobs.find((candidate) => candidate.kind === text);
  if (job === undefined) return [seenText(text, request)];
  if (job.schedules.length > 0) {
    const viewer = timezone ?? viewerTimezone;
    return job.schedules.map(({ spec }) => ({ kind: text, spec, viewer }));
  }
  throw new JobError("invalid_argument", `Cannot list the runs of "${text}": it has no schedule`, {
    hint: `Add schedule = "…" to [${formatPath(["jobs", text])}]`,
  });
}

function seenText(text: string, request: NextRequest): Seen {
  const { timezone, viewerTimezone = null, seed, jobs } = request;
  try {
    const parsed = parseScheduleText(text, { seed });
    const spec = {
      cron: parsed.cron,
      everyMs: parsed.everyMs,
      timezone: parsed.timezone ?? timezone ?? "UTC",
      ...SCHEDULE_DEFAULTS,
    };
    const viewer = parsed.timezone === null ? viewerTimezone : timezone ?? viewerTimezone;
    return { kind: null, spec, viewer };
  } catch (error) {
    if (isJobError(error) && seed === undefined && isPinned(text)) {
      throw new JobError("invalid_argument", error.message, {
        hint: "H and ~ are picked by the kind of a job: name it with --kind",
        cause: error,
      });
    }
    // A single word is more likely a kind than an expression.
    if (!isJobError(error, "invalid_argument") || !/^[\w.:-]+$/.test(text)) throw error;
    if (jobs === undefined) {
      throw new JobError(
        "not_found",
        `Cannot list the runs of "${text}": there is no config.toml in this folder`,
        {
          hint: 'Name it with --config, or give an expression such as "30 2 * * *"',
          cause: error,
        },
      );
    }
    throw new JobError("not_found", `Cannot list the runs of "${text}": no such kind`, {
      hint: didYouMean(text, jobs.map(({ kind }) => kind)) ??
        'Give a kind of the configuration, or an expression such as "30 2 * * *"',
      cause: error,
    });
  }
}

/** True if an expression is valid once a kind is given. */
function isPinned(text: string): boolean {
  return succeeds(() => parseScheduleText(text, { seed: "any" }));
}
