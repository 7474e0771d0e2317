import type { DurationInput, JobInput } from "../core/define.ts";
import { parseDuration } from "../core/duration.ts";
import { JobError, toJobError } from "../core/errors.ts";
import { CODE_STYLE, parseConcurrency, parseRate, parseUnique } from "../core/limit_inputs.ts";
import type { JobHandlers, JobOptions, RetryPolicy } from "../core/job.ts";
import { type ScheduleDefaults, SCHEDULES_MAX, type ScheduleSpec } from "../core/schedule.ts";
import { nextTickOf, parseScheduleText } from "../core/ticks.ts";

/** A definition without what cannot leave the process that imported it. */
export type PlainInput = Omit<JobInput, "run" | keyof JobHandlers>;

/**
 * The options of a job: what its definition sets over what it inherits.
 *
 * @throws JobError `invalid_argument` with the key's path for text that is no duration
 */
export function resolveOptions(input: PlainInput, base: JobOptions): JobOptions {
  const keep = typeof input.keep === "object"
    ? input.keep
    : { success: input.keep, failure: input.keep };
  return {
    priority: input.priority ?? base.priority,
    timeoutMs: durationOf("timeout", input.timeout) ?? base.timeoutMs,
    deadlineMs: durationOf("deadline", input.deadline) ?? base.deadlineMs,
    killAfterMs: durationOf("killAfter", input.killAfter) ?? base.killAfterMs,
    retry: resolveRetry(input.retry, base.retry),
    crashesMax: input.crashesMax ?? base.crashesMax,
    ...defined("onCrash", input.onCrash ?? base.onCrash),
    keepSuccessMs: durationOf("keep.success", keep.success) ?? base.keepSuccessMs,
    keepFailureMs: durationOf("keep.failure", keep.failure) ?? base.keepFailureMs,
    isolation: input.isolation ?? base.isolation,
    output: base.output,
    ...resolveLimits(input, base),
  };
}

function resolveLimits(input: PlainInput, base: JobOptions) {
  const { concurrency, rate, unique } = input;
  return {
    concurrency: concurrency === undefined ? base.concurrency : parseConcurrency(concurrency),
    rate: rate === undefined ? base.rate : parseRate(rate, CODE_STYLE),
    unique: unique === undefined ? base.unique : parseUnique(unique, CODE_STYLE),
    pool: input.pool ?? base.pool,
    waitingMax: input.waitingMax ?? base.waitingMax,
  };
}

function resolveRetry(input: JobInput["retry"], base: RetryPolicy): RetryPolicy {
  if (input === undefined) return base;
  if (typeof input === "number") return { ...base, max: input };
  const initialMs = durationOf("retry.initial", input.initial) ?? base.initialMs;
  const capMs = durationOf("retry.cap", input.cap) ?? Math.max(base.capMs, initialMs);
  if (initialMs > capMs) {
    throw new JobError(
      "invalid_argument",
      `Cannot wait "${input.initial}" before a retry: "retry.initial" is longer than "retry.cap"`,
      { path: "retry.initial" },
    );
  }
  return {
    max: input.max ?? base.max,
    backoff: input.backoff ?? base.backoff,
    initialMs,
    capMs,
    jitter: input.jitter ?? base.jitter,
    ...defined("on", input.on ?? base.on),
    ...defined("notOn", input.notOn ?? base.notOn),
  };
}

function defined<const Key extends string, T>(key: Key, value: T | undefined) {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: T };
}

function durationOf(path: string, value: DurationInput | undefined): number | undefined {
  if (typeof value !== "string") return value;
  try {
    return parseDuration(value);
  } catch (cause) {
    throw withPath(path, cause);
  }
}

function withPath(path: string, cause: unknown): JobError {
  const { code, message, hint } = toJobError(cause, `Cannot read "${path}"`);
  return new JobError(code, message, { hint, path, cause });
}

/**
 * The schedules of a definition.
 *
 * @throws JobError `invalid_argument` with the path `schedule` for an expression or zone that cannot be read
 */
export function resolveSchedules(
  input: PlainInput,
  inherited: {
    readonly kind: string;
    readonly timezone: string;
    readonly defaults: ScheduleDefaults;
    readonly now: number;
  },
): ScheduleSpec[] {
  const texts = typeof input.schedule === "string" ? [input.schedule] : input.schedule ?? [];
  if (texts.length > SCHEDULES_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot use ${texts.length} schedules: at most ${SCHEDULES_MAX} for one job`,
      { path: "schedule", hint: "Write ranges and steps instead of long lists" },
    );
  }
  return texts.map((text) => {
    try {
      const parsed = parseScheduleText(text, { seed: inherited.kind });
      const spec = {
        cron: parsed.cron,
        everyMs: parsed.everyMs,
        timezone: parsed.timezone ?? input.timezone ?? inherited.timezone,
        overlap: input.overlap ?? inherited.defaults.overlap,
        misfire: input.misfire ?? inherited.defaults.misfire,
        misfireWithinMs: inherited.defaults.misfireWithinMs,
        jitterMs: inherited.defaults.jitterMs,
      };
      // An unknown zone or an impossible date shows only when a tick is sought.
      nextTickOf(spec, inherited.now, inherited.now);
      return spec;
    } catch (cause) {
      throw withPath("schedule", cause);
    }
  });
}
