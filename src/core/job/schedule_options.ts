import { quoteValue } from "../text/quote_value.ts";
import { type DurationInput, readDuration } from "../time/duration.ts";
import { JobError } from "../errors.ts";
import { CONFLICTS, type ScheduleOptions } from "./job_manager.ts";
import {
  ARGUMENTS,
  checkOptions,
  DURATION,
  FUNCTION,
  isObject,
  isOneOf,
  isText,
  type Keys,
  type KeysOf,
  NUMBER,
  TEXT,
} from "../text/object_keys.ts";

/** Checks only types: values are checked where the instance is created, for every caller. */
const SCHEDULE_KEYS: KeysOf<ScheduleOptions> = {
  arguments: ARGUMENTS,
  id: ["a UUID", (value) => value === null || isText(value)],
  priority: NUMBER,
  at: [
    "a Date or epoch milliseconds",
    (value) => typeof value === "number" || value instanceof Date,
  ],
  after: DURATION,
  afterMs: NUMBER,
  jitter: DURATION,
  jitterMs: NUMBER,
  timeout: DURATION,
  timeoutMs: NUMBER,
  deadline: DURATION,
  deadlineMs: NUMBER,
  retries: NUMBER,
  uniqueKey: TEXT,
  uniqueFor: DURATION,
  uniqueForMs: NUMBER,
  onConflict: [CONFLICTS.map((word) => `"${word}"`).join(", "), isOneOf(CONFLICTS)],
};

/**
 * Options that only the library accepts: `cron`, which makes a recurring schedule, and handlers.
 */
const LIBRARY_KEYS: Keys = {
  ...SCHEDULE_KEYS,
  cron: TEXT,
  onComplete: FUNCTION,
  onTerminate: FUNCTION,
  onStateChange: FUNCTION,
};

/**
 * Refuse unknown options of `scheduleJob`, and values of the wrong type: without a compiler they
 * would be ignored silently.
 *
 * @param where the caller: the library accepts more options than a running job
 * @throws JobError `invalid_argument` naming the nearest option
 */
export function checkScheduleOptions(
  kind: string,
  options: object,
  where: "job" | "library" = "job",
): void {
  const keys = where === "library" ? LIBRARY_KEYS : SCHEDULE_KEYS;
  checkOptions(options, keys, { failure: `Cannot schedule job "${kind}"` });
}

/**
 * The kind that a job's name or definition says.
 *
 * @param action what the kind is needed for, in messages
 * @throws JobError `invalid_argument` for anything else
 */
export function kindOfReference(job: unknown, action = "schedule a job"): string {
  const kind = isObject(job) ? job.kind : job;
  if (typeof kind === "string" && kind !== "") return kind;
  const found = isObject(job) ? "an object without a kind" : quoteValue(job);
  throw new JobError("invalid_argument", `Cannot ${action}: found ${found}, wanted a kind`, {
    path: "job",
    hint: typeof job === "function"
      ? "Register the function first, and give what registerJob returned"
      : "Give the kind as text, or what registerJob returned",
  });
}

/** Options that may be written as a duration. With "Ms" at the end they are in milliseconds. */
const DURATIONS = ["after", "jitter", "timeout", "deadline", "uniqueFor", "misfireWithin"] as const;

type DurationOptions = {
  readonly [Name in (typeof DURATIONS)[number]]?: DurationInput | null;
};

/**
 * Options of an instance or a schedule with each duration in milliseconds: `{ after: "2h" }`
 * becomes `{ afterMs: 7200000 }`. Options without a duration are returned unchanged.
 *
 * @throws JobError `invalid_argument` naming the option, for text that is not a duration, or a
 * duration that is given twice
 */
export function inMilliseconds<Options extends DurationOptions>(options: Options): Options {
  // Fast path: most instances, thousands at a time, are scheduled with none of these options.
  const given = DURATIONS.filter((name) => options[name] !== undefined);
  if (given.length === 0) return options;
  const plain: Record<string, unknown> = { ...options };
  for (const name of given) {
    const inMs = `${name}Ms`;
    if (plain[inMs] !== undefined) {
      throw new JobError("invalid_argument", `Cannot use both "${name}" and "${inMs}"`, {
        options: [name, inMs],
        hint: "Give one of them",
      });
    }
    delete plain[name];
    plain[inMs] = millisecondsOf(name, options[name]);
  }
  return plain as Options;
}

function millisecondsOf(name: string, value: unknown): number | null {
  // Null leaves it to the job, in a change of a schedule.
  if (value === null || typeof value === "number") return value;
  if (typeof value !== "string") {
    const found = `Cannot use "${name}" ${quoteValue(value)}`;
    throw new JobError("invalid_argument", `${found}: it is neither milliseconds nor text`, {
      options: [name],
      hint: 'Write 90_000, or "90s"',
    });
  }
  return readDuration(name, value);
}
