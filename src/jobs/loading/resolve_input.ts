import type { JobInput } from "../../core/job/define.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import type { JobOptions, RetryInput } from "../../core/job/gen/job_options.ts";
import {
  type JobHandlers,
  NO_LIMITS,
  NO_PROCESS,
  type ProcessLimits,
  type ProcessSpec,
} from "../../core/job/job.ts";
import { readDefinition, withValues } from "../../core/job/option_table.ts";
import { SCHEDULES_MAX, type ScheduleSpec } from "../../core/job/schedule.ts";
import {
  type InheritedSchedule,
  isEmptySpan,
  mergeSettings,
  type ScheduleSettings,
  specsOf,
} from "../../core/job/schedule_settings.ts";
import { nextTickOf, parseScheduleText, type ScheduleText } from "../../core/time/ticks.ts";

/** A definition without what cannot leave the process that imported it. */
export type PlainInput = Omit<JobInput, "run" | keyof JobHandlers>;

/**
 * The options of a job: those of its definition over the inherited ones.
 *
 * @throws JobError `invalid_argument` with the key's path for a value that cannot be read
 */
export function resolveOptions(input: PlainInput, base: JobOptions): JobOptions {
  const given = readDefinition(input, "option");
  const options = withValues(base, given);
  const { initialMs, capMs } = options.retry;
  if (initialMs <= capMs) return options;
  // A longer first wait lifts an inherited cap.
  if (given["retry.capMs"] === undefined) return withValues(options, { "retry.capMs": initialMs });
  const { initial } = input.retry as RetryInput;
  throw new JobError(
    "invalid_argument",
    `Cannot wait "${initial}" before a retry: "retry.initial" is longer than "retry.cap"`,
    { path: "retry.initial" },
  );
}

/**
 * The surroundings of a module job's processes: those of its table, then the limits of its
 * definition.
 *
 * @returns null if both have none
 * @throws JobError `invalid_argument` with the key's path
 */
export function resolveProcess(
  input: PlainInput,
  table: ProcessSpec | null,
): ProcessSpec | null {
  const { nice, ...own } = readDefinition(input, "process") as ProcessSettings;
  if (input.limits === undefined && nice === undefined) return table;
  const base = table ?? NO_PROCESS;
  const limits = { ...NO_LIMITS, ...base.limits };
  for (const name of Object.keys(NO_LIMITS) as (keyof ProcessLimits)[]) {
    limits[name] ??= own[`limits.${name}`] ?? null;
  }
  return { ...base, nice: base.nice ?? nice ?? null, limits };
}

/** The settings of processes that definitions have. */
type ProcessSettings =
  & { readonly nice?: number }
  & { readonly [Name in keyof ProcessLimits as `limits.${Name}`]?: number };

/** An error as one of the key at `path`. */
export function withPath(path: string, cause: unknown): JobError {
  const { code, message, hint } = toJobError(cause, `Cannot read "${path}"`);
  return new JobError(code, message, { hint, path, cause });
}

/** The schedules of a job's table. They override those of its definition. */
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
  const settings = mergeSettings(
    readDefinition(input, "schedule") as ScheduleSettings,
    table.settings,
  );
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
