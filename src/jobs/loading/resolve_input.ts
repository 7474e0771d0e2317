import type { JobInput } from "../../core/job/define.ts";
import { atPath, JobError } from "../../core/errors.ts";
import type { JobOptions, RetryInput } from "../../core/job/gen/job_options.ts";
import {
  type JobHandlers,
  NO_LIMITS,
  NO_PROCESS,
  type ProcessLimits,
  type ProcessSpec,
} from "../../core/job/job.ts";
import type { JobTable } from "../../core/job/job_table.ts";
import { readDefinition, withValues } from "../../core/job/option_table.ts";
import { SCHEDULES_MAX, type ScheduleSpec } from "../../core/time/schedule.ts";
import {
  type InheritedSchedule,
  isEmptySpan,
  type ScheduleSettings,
  specsOf,
} from "../../core/job/schedule_settings.ts";
import { nextTickOf, parseScheduleText, type ScheduleText } from "../../core/time/ticks.ts";

/** A definition without the parts that cannot leave the process that imported it. */
export type PlainInput = Omit<JobInput, "run" | keyof JobHandlers>;

/**
 * The options of a job: its definition's over the inherited ones.
 *
 * @throws JobError `invalid_argument` with the key's path for an unreadable value
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
 * The settings of a module job's processes: its table's, then the limits of its definition.
 *
 * @returns null if both are empty
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

/**
 * The schedules of a definition, overridden by its table.
 *
 * @throws JobError `invalid_argument` with the path of an unreadable value
 */
export function resolveSchedules(
  input: PlainInput,
  inherited: InheritedSchedule & { readonly kind: string; readonly now: number },
  table: Partial<Pick<JobTable, "scheduleTexts" | "scheduleSettings">> = {},
): ScheduleSpec[] {
  const settings: ScheduleSettings = {
    ...readDefinition(input, "schedule"),
    ...table.scheduleSettings,
  };
  const { scheduleTexts: own = [] } = table;
  const texts = own.length > 0 ? own : readTexts(input, inherited.kind);
  return specsOf(texts, settings, inherited).map((spec) => {
    if (isEmptySpan(spec)) {
      throw new JobError(
        "invalid_argument",
        `Cannot use "endsAt" ${JSON.stringify(settings.endsAt)}: it is not after "startsAt"`,
        { path: "endsAt" },
      );
    }
    // An unknown zone or an impossible date shows only when a tick is sought.
    atPath("schedule", () => nextTickOf(spec, inherited.now, inherited.now));
    return spec;
  });
}

function readTexts(input: PlainInput, kind: string): readonly ScheduleText[] {
  const texts = [input.schedule ?? []].flat();
  if (texts.length > SCHEDULES_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot use ${texts.length} schedules: at most ${SCHEDULES_MAX} for one job`,
      { path: "schedule", hint: "Write ranges and steps instead of long lists" },
    );
  }
  return texts.map((text) => atPath("schedule", () => parseScheduleText(text, { seed: kind })));
}

/** The options of a job, overridden by its table. */
export function withTable(options: JobOptions, table: JobTable | undefined): JobOptions {
  if (table === undefined) return options;
  // Thousands of tables without options share the inherited ones.
  if (Object.keys(table.options).length === 0) return options;
  const { retry, output, expect, ...rest } = table.options;
  return {
    ...options,
    ...rest,
    retry: { ...options.retry, ...retry },
    output: { ...options.output, ...output },
    expect: { ...options.expect, ...expect },
  };
}
