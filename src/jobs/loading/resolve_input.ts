import { parseBlackout } from "../../core/time/blackout.ts";
import type { JobInput } from "../../core/job/define.ts";
import { type DurationInput, parseDuration } from "../../core/time/duration.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import {
  CODE_STYLE,
  parseConcurrency,
  parseRate,
  parseUnique,
} from "../../core/job/limit_inputs.ts";
import {
  type JobHandlers,
  type JobOptions,
  NO_PROCESS,
  type OutputLimits,
  type ProcessSpec,
  type RetryPolicy,
} from "../../core/job/job.ts";
import { SCHEDULES_MAX, type ScheduleSpec } from "../../core/job/schedule.ts";
import {
  type InheritedSchedule,
  isEmptySpan,
  mergeSettings,
  type ScheduleSettings,
  specsOf,
} from "../../core/job/schedule_settings.ts";
import { parseSize } from "../../core/text/size.ts";
import { nextTickOf, parseScheduleText, type ScheduleText } from "../../core/time/ticks.ts";

/** Least of an attempt's output that can be kept, in bytes. */
const OUTPUT_BYTES_MIN = 1_000;
/** Least memory that an attempt can be limited to, in bytes. */
const MEMORY_BYTES_MIN = 1_048_576;
/** Least processor time that an attempt can be limited to. */
const CPU_MS_MIN = 1_000;

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
    ...defined("onDrain", input.onDrain ?? base.onDrain),
    ...defined("drainMs", durationOf("drain", input.drain) ?? base.drainMs),
    ...defined("workerSlot", input.workerSlot ?? base.workerSlot),
    keepSuccessMs: durationOf("keep.success", keep.success) ?? base.keepSuccessMs,
    keepFailureMs: durationOf("keep.failure", keep.failure) ?? base.keepFailureMs,
    isolation: input.isolation ?? base.isolation,
    output: resolveOutput(input.output, base.output),
    ...resolveLimits(input, base),
  };
}

function resolveOutput(input: JobInput["output"], base: OutputLimits): OutputLimits {
  const { sizeMax, linesMax } = input ?? {};
  return {
    bytesMax: sizeMax === undefined
      ? base.bytesMax
      : sizeOf("output.sizeMax", sizeMax, OUTPUT_BYTES_MIN),
    linesMax: linesMax ?? base.linesMax,
  };
}

function sizeOf(path: string, value: number | string, bytesMin: number): number {
  try {
    const bytes = typeof value === "number" ? value : parseSize(value);
    if (bytes >= bytesMin) return bytes;
  } catch (cause) {
    throw withPath(path, cause);
  }
  throw new JobError(
    "invalid_argument",
    `Cannot use "${path}" ${JSON.stringify(value)}: wanted ${bytesMin} bytes or more`,
    { path },
  );
}

/**
 * What surrounds the processes of a module job: its table's, and where that says nothing the limits of the definition.
 *
 * @returns null when neither says anything
 * @throws JobError `invalid_argument` with the key's path
 */
export function resolveProcess(
  input: PlainInput,
  table: ProcessSpec | null,
): ProcessSpec | null {
  if (input.limits === undefined && input.nice === undefined) return table;
  const { memory, cpu, openFiles } = input.limits ?? {};
  const cpuMs = durationOf("limits.cpu", cpu) ?? null;
  if (cpuMs !== null && cpuMs < CPU_MS_MIN) {
    throw new JobError(
      "invalid_argument",
      `Cannot use "limits.cpu" ${JSON.stringify(cpu)}: wanted 1s or more`,
      { path: "limits.cpu" },
    );
  }
  const base = table ?? NO_PROCESS;
  return {
    ...base,
    nice: base.nice ?? input.nice ?? null,
    limits: {
      memoryBytes: base.limits?.memoryBytes ??
        (memory === undefined ? null : sizeOf("limits.memory", memory, MEMORY_BYTES_MIN)),
      cpuMs: base.limits?.cpuMs ?? cpuMs,
      openFiles: base.limits?.openFiles ?? openFiles ?? null,
    },
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
    needs: input.needs === undefined ? base.needs : [input.needs].flat(),
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

/** What a job's table says of its schedules; it comes before what the definition says. */
export interface TableSchedules {
  readonly texts: readonly ScheduleText[];
  readonly settings: ScheduleSettings;
}

/**
 * The schedules of a definition, with what its table says over it.
 *
 * @throws JobError `invalid_argument` with the path of what cannot be read
 */
export function resolveSchedules(
  input: PlainInput,
  inherited: InheritedSchedule & { readonly kind: string; readonly now: number },
  table: TableSchedules = { texts: [], settings: {} },
): ScheduleSpec[] {
  const settings = mergeSettings(settingsOf(input), table.settings);
  const texts = table.texts.length > 0 ? table.texts : readTexts(input, inherited.kind);
  return specsOf(texts, settings, inherited).map((spec) => {
    if (isEmptySpan(spec)) {
      throw new JobError(
        "invalid_argument",
        `Cannot use "endsAt" ${JSON.stringify(settings.endsAt)}: it is not after "startsAt"`,
        { path: "endsAt" },
      );
    }
    try {
      // An unknown zone or an impossible date shows only when a tick is sought.
      nextTickOf(spec, inherited.now, inherited.now);
    } catch (cause) {
      throw withPath("schedule", cause);
    }
    return spec;
  });
}

function readTexts(input: PlainInput, kind: string): readonly ScheduleText[] {
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
      return parseScheduleText(text, { seed: kind });
    } catch (cause) {
      throw withPath("schedule", cause);
    }
  });
}

function settingsOf(input: PlainInput): ScheduleSettings {
  const blackout = typeof input.blackout === "string" ? [input.blackout] : input.blackout;
  try {
    for (const window of blackout ?? []) parseBlackout(window);
  } catch (cause) {
    throw withPath("blackout", cause);
  }
  return {
    timezone: input.timezone,
    overlap: input.overlap,
    misfire: input.misfire,
    misfireWithinMs: durationOf("misfireWithin", input.misfireWithin),
    jitterMs: durationOf("jitter", input.jitter),
    startsAt: input.startsAt,
    endsAt: input.endsAt,
    blackout,
    runsMax: input.runsMax,
    queueMax: input.queueMax,
  };
}
