import { quoteValue } from "../text/quote_value.ts";
import { readDuration } from "../time/duration.ts";
import { JobError } from "../errors.ts";
import {
  ARGUMENTS,
  checkOptions,
  DURATION,
  FUNCTION,
  isListOf,
  isObject,
  isText,
  type Keys,
  type KeyValue,
  NUMBER,
  TEXT,
} from "../text/object_keys.ts";
import {
  INSTANCE_OPTIONS,
  NAMED_OPTIONS,
  type NamedOption,
  type RunOptionForm,
  SCHEDULE_OPTIONS,
} from "./run_options.ts";

/** Only types: values are checked where the instance or schedule is made, for every caller. */
const FORM_KEYS: Readonly<Record<RunOptionForm, KeyValue>> = {
  arguments: ARGUMENTS,
  choice: TEXT,
  duration: DURATION,
  id: ["a UUID", (value) => value === null || isText(value)],
  instant: ["a time in epoch milliseconds", NUMBER[1]],
  integer: NUMBER,
  moment: [
    "a Date or epoch milliseconds",
    (value) => typeof value === "number" || value instanceof Date,
  ],
  text: TEXT,
  texts: ["a list of texts", isListOf(isText)],
};

function keysOf(options: readonly NamedOption[]): Keys {
  return Object.fromEntries(options.flatMap(({ name, key, form, words }) => {
    const value: KeyValue = words === undefined
      ? FORM_KEYS[form]
      : [words.map((word) => `"${word}"`).join(", "), isText];
    return [[name, value], [key, form === "duration" ? NUMBER : value]];
  }));
}

const INSTANCE_KEYS = keysOf(INSTANCE_OPTIONS);

/** The keys of the options of a recurring schedule. */
export const RECURRING_KEYS: Keys = keysOf(SCHEDULE_OPTIONS);

/** Options that only the library accepts: `cron`, for a recurring schedule, and handlers. */
const LIBRARY_KEYS: Keys = {
  ...INSTANCE_KEYS,
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
  const keys = where === "library" ? LIBRARY_KEYS : INSTANCE_KEYS;
  checkOptions(options, keys, { failure: `Cannot schedule job "${kind}"` });
}

/** The kind of a job, given by name or definition. @throws JobError `invalid_argument` */
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
const DURATIONS = NAMED_OPTIONS.filter(({ form }) => form === "duration").map(({ name }) => name);

/**
 * Options of an instance or a schedule with each duration in milliseconds: `{ after: "2h" }`
 * becomes `{ afterMs: 7200000 }`. Options without a duration are returned unchanged.
 *
 * @throws JobError `invalid_argument` naming the option, for text that is not a duration, or a
 * duration that is given twice
 */
export function inMilliseconds<Options extends object>(given: Options): Options {
  const options = given as Readonly<Record<string, unknown>>;
  // Fast path: most instances, thousands at a time, are scheduled without these options.
  const names = DURATIONS.filter((name) => options[name] !== undefined);
  if (names.length === 0) return given;
  const plain: Record<string, unknown> = { ...options };
  for (const name of names) {
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

const CHECKS: ReadonlyMap<string, (value: unknown) => void> = new Map(
  NAMED_OPTIONS.flatMap((option) => {
    const { key, form } = option;
    if (form === "choice") return [[key, choiceCheck(option)]];
    return form === "integer" || form === "duration" || form === "instant"
      ? [[key, rangeCheck(option)]]
      : [];
  }),
);

function choiceCheck({ name, words = [] }: NamedOption) {
  return (value: unknown) => {
    if (words.includes(value as string)) return;
    throw new JobError("invalid_argument", `Cannot use "${name}" "${value}": no such choice`, {
      options: [name],
      hint: `Write one of: ${words.join(", ")}`,
    });
  };
}

function rangeCheck({ name, range: [min, max] }: NamedOption) {
  return (value: unknown) => {
    if (Number.isInteger(value) && value as number >= min && value as number <= max) return;
    throw unusable(name, String(value), `is not a whole number from ${min} to ${max}`);
  };
}

/**
 * Check the numbers and choices of options in milliseconds. An undefined value counts as absent,
 * and null as removed.
 *
 * @throws JobError `invalid_argument` naming the option
 */
export function checkValues(options: object): void {
  for (const key of Object.keys(options)) {
    const value = (options as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined && value !== null) CHECKS.get(key)?.(value);
  }
}

/** The error of an option whose value cannot be used. */
export function unusable(option: string, value: string, problem: string, hint?: string): JobError {
  return new JobError("invalid_argument", `Cannot use "${option}" "${value}": it ${problem}`, {
    options: [option],
    hint,
  });
}
