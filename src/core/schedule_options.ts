import { quoteValue } from "./describe.ts";
import { type DurationInput, parseDuration } from "./duration.ts";
import { isJobError, JobError } from "./errors.ts";
import type { ScheduleOptions } from "./job_manager.ts";
import { nearest } from "./nearest.ts";

const KEYS: Readonly<Record<keyof ScheduleOptions, true>> = {
  arguments: true,
  id: true,
  priority: true,
  at: true,
  after: true,
  afterMs: true,
  jitter: true,
  jitterMs: true,
  timeout: true,
  timeoutMs: true,
  deadline: true,
  deadlineMs: true,
  retries: true,
  uniqueKey: true,
  uniqueFor: true,
  uniqueForMs: true,
  onConflict: true,
};

/**
 * Refuse options of `scheduleJob` that are none: code that no compiler checks would lose them without a word.
 *
 * @param others what may be said there besides, such as `cron`
 * @throws JobError `invalid_argument` naming the nearest option
 */
export function checkScheduleOptions(
  kind: string,
  options: object,
  others: readonly string[] = [],
): void {
  const known = [...Object.keys(KEYS), ...others];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    const near = nearest(name, known);
    throw new JobError(
      "invalid_argument",
      `Cannot schedule job "${kind}": unknown option "${name}"`,
      {
        path: name,
        hint: near === null ? `Options: ${known.join(", ")}` : `Did you mean "${near}"?`,
      },
    );
  }
}

/** Options that may be written as a duration, each with the one that holds its milliseconds. */
const DURATIONS = {
  after: "afterMs",
  jitter: "jitterMs",
  timeout: "timeoutMs",
  deadline: "deadlineMs",
  uniqueFor: "uniqueForMs",
  misfireWithin: "misfireWithinMs",
} as const;
const DURATION_NAMES = Object.keys(DURATIONS) as (keyof typeof DURATIONS)[];

type DurationOptions = { readonly [Name in keyof typeof DURATIONS]?: DurationInput | null };

/**
 * Options of one run or of a schedule with each duration in milliseconds: `{ after: "2h" }` becomes `{ afterMs: 7200000 }`.
 * Options without a duration are returned as they are.
 *
 * @throws JobError `invalid_argument` naming the option: for text that is no duration, or a duration that is given twice
 */
export function inMilliseconds<Options extends DurationOptions>(options: Options): Options {
  // Most are scheduled with none of them, thousands at a time.
  const given = DURATION_NAMES.filter((name) => options[name] !== undefined);
  if (given.length === 0) return options;
  const plain: Record<string, unknown> = { ...options };
  for (const name of given) {
    const inMs = DURATIONS[name];
    if (plain[inMs] !== undefined) {
      throw new JobError("invalid_argument", `Cannot use both "${name}" and "${inMs}"`, {
        path: name,
        hint: "Give one of them",
      });
    }
    delete plain[name];
    plain[inMs] = readDuration(name, options[name]);
  }
  return plain as Options;
}

function readDuration(name: string, value: unknown): number | null {
  // Null leaves it to the job, in a change of a schedule.
  if (value === null || typeof value === "number") return value;
  const found = `Cannot use ${name} ${quoteValue(value)}`;
  if (typeof value !== "string") {
    throw new JobError("invalid_argument", `${found}: it is neither milliseconds nor text`, {
      path: name,
      hint: 'Write 90_000, or "90s"',
    });
  }
  try {
    return parseDuration(value);
  } catch (error) {
    if (!isJobError(error)) throw error;
    throw new JobError("invalid_argument", `${found}: ${error.message}`, {
      path: name,
      hint: error.hint,
    });
  }
}
