import type { JobOptions } from "./gen/job_options.ts";
import { isDuration, isObject, isWhole, type Keys } from "../text/object_keys.ts";
import type { ScheduleDefaults } from "../time/schedule.ts";
import { JOB_OPTIONS, type JobOptionTable } from "./options.ts";
import type { OptionValue } from "./option_values.ts";

/** Options that are objects in definitions, with the allowed short forms. */
interface OptionGroup {
  readonly doc: string;
  /** The type of the short form. */
  readonly type?: string;
  readonly wanted?: string;
  /** The members that a short form sets; null for an unacceptable one. */
  readonly membersOf?: (value: unknown) => Readonly<Record<string, unknown>> | null;
}

/** By the first part of their names. */
export const OPTION_GROUPS: Readonly<Record<string, OptionGroup>> = {
  retry: {
    doc: "When a failed attempt is followed by another. A number is the most retries.",
    type: "number",
    wanted: "a number of retries or an object",
    membersOf: (max) => isWhole(-1)(max) ? { max } : null,
  },
  keep: {
    doc: "How long finished instances are kept.",
    type: "DurationInput",
    wanted: "a duration or an object",
    membersOf: (both) => isDuration(both) ? { success: both, failure: both } : null,
  },
  output: { doc: "How much of an attempt's output is kept." },
  expect: { doc: "When the runs of the job are late, missed, too long or too short." },
  limits: { doc: "What an attempt may use; for jobs in worker processes." },
};

function membersOf(group: string, value: unknown): Readonly<Record<string, unknown>> | null {
  return isObject(value) ? value : OPTION_GROUPS[group]?.membersOf?.(value) ?? null;
}

/** The name of an option in definitions: `retry.not_on` is `retry.notOn`. */
export function codeName(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The keys of a definition that are options, and the keys of options that are objects. */
export function definitionKeys(
  table: JobOptionTable = JOB_OPTIONS,
): { readonly keys: Keys; readonly parts: Readonly<Record<string, Keys>> } {
  const keys: Record<string, Keys[string]> = {};
  const parts: Record<string, Record<string, Keys[string]>> = {};
  for (const [name, { value: { wanted, check } }] of Object.entries(table)) {
    const [key, member] = codeName(name).split(".") as [string, string?];
    if (member === undefined) {
      keys[key] = [wanted, check];
      continue;
    }
    keys[key] ??= [
      OPTION_GROUPS[key]?.wanted ?? "an object",
      (value) => membersOf(key, value) !== null,
    ];
    (parts[key] ??= {})[member] = [wanted, check];
  }
  return { keys, parts };
}

/** The target of an option's value: the options of the job, its schedules or its processes. */
export type OptionTarget = "option" | "schedule" | "process";

/** Values by their paths in one of these. */
type Found = Record<string, unknown>;

/**
 * The values that a definition gives, by their target paths.
 *
 * @param input checked by the keys of {@link definitionKeys}
 * @throws JobError `invalid_argument` with the path of a value that cannot be read
 */
export function readDefinition(
  input: object,
  target: OptionTarget,
  table: JobOptionTable = JOB_OPTIONS,
): Readonly<Found> {
  const found: Found = {};
  for (const [name, option] of Object.entries(table)) {
    const path = option[target];
    if (path === undefined) continue;
    const [key, member] = codeName(name).split(".") as [string, string?];
    const given = (input as Found)[key];
    if (given === undefined) continue;
    const value = member === undefined ? given : membersOf(key, given)?.[member];
    if (value !== undefined) found[path] = option.value.parse(value as never, codeName(name));
  }
  return found;
}

/** `base` with the values of some paths. An undefined value changes nothing. */
export function withValues<T extends object>(base: T, values: Readonly<Found>): T {
  const changed: Found = { ...base as Found };
  for (const [path, value] of Object.entries(values)) {
    const [group, member] = path.split(".") as [string, string?];
    if (value === undefined) continue;
    if (member === undefined) changed[path] = value;
    else changed[group] = { ...changed[group] as object, [member]: value };
  }
  return changed as T;
}

/** The defaults of all options with a path in `target`. */
export function initialValues(
  target: "option" | "schedule",
  table: JobOptionTable = JOB_OPTIONS,
): Readonly<Found> {
  const values: Found = {};
  for (const { [target]: path, value, initial, isInherited, unset } of Object.values(table)) {
    if (path !== undefined) values[path] = isInherited ? readInitial(value, initial) : unset;
  }
  return values;
}

// A definition may write the same text.
function readInitial(value: OptionValue, initial: unknown): unknown {
  return initial === undefined ? undefined : value.parse(initial as never, "");
}

/** Defaults of jobs. */
export const JOB_DEFAULTS: JobOptions = withValues({} as JobOptions, initialValues("option"));

/** Defaults of schedules. */
export const SCHEDULE_DEFAULTS: ScheduleDefaults = withValues(
  {} as ScheduleDefaults,
  initialValues("schedule"),
);
