import { snakeCase } from "../text/snake_case.ts";
import { DURATION_MS_MAX } from "../time/duration.ts";
import { MISFIRES, OVERLAPS } from "../time/schedule.ts";
import { PRIORITY_MAX } from "./job.ts";

/** The latest time that a Date can represent, epoch ms. */
export const TIME_MAX = 8.64e15;

const RUNS = [1, 2 ** 31 - 1] as const;
const RETRIES = [-1, 2 ** 31 - 1] as const;
const TIMES = '"2026-11-24 09:00", "09:00", "tomorrow 9:00", "+10m"';

/**
 * Form of a value. A "duration" is milliseconds or text, and has a twin in milliseconds: `after`
 * and `afterMs`. An "instant" is epoch milliseconds; a "moment" may also be a Date.
 */
export type RunOptionForm =
  | ("arguments" | "choice" | "duration" | "id" | "instant")
  | ("integer" | "moment" | "text" | "texts");

/** Accepted values of an option, and its place. */
interface OptionRules {
  readonly form: RunOptionForm;
  readonly of: "instance" | "schedule" | "both";
  /** The minimum and maximum of a number, if they differ from its form's. */
  readonly range?: readonly [min: number, max: number];
  /** The words of a choice. */
  readonly words?: readonly string[];
  /** Its name in requests, if different from {@link NamedOption.key}. */
  readonly wire?: string;
  /** True if requests have it in their `recurrence`. */
  readonly isInRecurrence?: true;
  readonly isRequired?: true;
  /** True if a change of a schedule may remove it. */
  readonly canClear?: true;
}

/** An option of a call that makes an instance, of a recurring schedule, or of both. */
export interface RunOption {
  readonly rules: OptionRules;
  /** Its comment in TypeScript, if that differs from `help`. */
  readonly doc?: string;
  /** Its help; without it there is no option on the command line. */
  readonly help?: string;
  /** Its help where a schedule is changed, if that differs. */
  readonly changeHelp?: string;
  /** Its name on the command line, if that differs. */
  readonly command?: string;
  /** The name of its value there, if not derived from its form. */
  readonly valueName?: string;
  /** Its heading in the help, if not derived from `of`. */
  readonly heading?: string;
}

/**
 * Every option of an instance or a recurring schedule, in the order of the help. The types, checks,
 * requests, and options of the command line derive from it.
 */
export const RUN_OPTIONS: Readonly<Record<string, RunOption>> = {
  arguments: {
    rules: { form: "arguments", of: "both" },
    doc: "Converted to the types of the job's signature; checked before anything is queued.",
  },
  at: {
    rules: { form: "moment", of: "instance" },
    doc: "Due at this time (Date or epoch ms). Excludes `after`.",
    help: `Run at this time, in the job's zone: ${TIMES}`,
    heading: "When it runs",
  },
  after: {
    rules: { form: "duration", of: "instance", range: [0, TIME_MAX] },
    help: "Run after this delay: 90s, 10m, 2h, 7d",
    command: "in",
    heading: "When it runs",
  },
  cron: {
    rules: { form: "text", of: "schedule", isRequired: true },
    help: 'Run on a schedule: "30 2 * * *", "@daily", "@every 15m"',
    changeHelp: 'New times: "30 2 * * *", "@daily", "@every 15m"',
    valueName: "CRON",
    heading: "When it runs",
  },
  timezone: {
    rules: { form: "text", of: "schedule" },
    help: "Time zone of the schedule, such as Europe/Berlin (default: the daemon's)",
    valueName: "ZONE",
  },
  overlap: {
    rules: { form: "choice", of: "schedule", words: OVERLAPS },
    help: `What to do about a tick while the previous run is unfinished: ${OVERLAPS.join(", ")}`,
  },
  queueMax: {
    rules: { form: "integer", of: "schedule", range: [1, 1_000], isInRecurrence: true },
    doc: 'With overlap "queue": the most ticks that may wait.',
    help: "With --overlap queue: how many runs may wait (default 10)",
  },
  misfire: {
    rules: { form: "choice", of: "schedule", words: MISFIRES },
    help: `What to do about runs that did not start in time: ${MISFIRES.join(", ")}`,
  },
  misfireWithin: {
    rules: { form: "duration", of: "schedule", isInRecurrence: true },
    help: "Count a run as missed if it starts later than this",
  },
  startsAt: {
    rules: { form: "instant", of: "schedule", isInRecurrence: true, canClear: true },
    doc: "No tick before this time, epoch ms; also the first tick of `@every`.",
    help: "Nothing runs before this time",
  },
  endsAt: {
    rules: { form: "instant", of: "schedule", isInRecurrence: true, canClear: true },
    doc: "No tick at or after this time, epoch ms.",
    help: "Nothing runs at or after this time",
  },
  blackout: {
    rules: { form: "texts", of: "schedule", isInRecurrence: true, canClear: true },
    doc: "Windows without runs, such as `22:00-06:00`, `sat-sun` or `2026-12-24/2026-12-27`.",
    help: 'No run in this window: "22:00-06:00", "sat-sun", "2026-12-24"; repeatable',
    valueName: "WINDOW",
  },
  runsMax: {
    rules: { form: "integer", of: "schedule", range: RUNS, isInRecurrence: true, canClear: true },
    help: "End the schedule after this many runs",
  },
  jitter: {
    rules: { form: "duration", of: "both" },
    doc: "Due up to this much later, at random; for a schedule always by the same amount.",
    help: "Start up to this much later, at random; with --cron always by the same amount",
    changeHelp: "Start each run up to this much later, always by the same amount",
  },
  priority: {
    rules: { form: "integer", of: "both", range: [-PRIORITY_MAX, PRIORITY_MAX], canClear: true },
    help: "Lower numbers run first: 0 high, 5 default, 10 low; below 0 runs before all of these",
  },
  timeout: {
    rules: { form: "duration", of: "both", range: [0, TIME_MAX], canClear: true },
    help: "Time limit of one attempt; 0 for none",
  },
  deadline: {
    rules: { form: "duration", of: "instance", range: [0, TIME_MAX] },
    help: "Time limit for all attempts together, waits included, from when it is due; 0 for none",
  },
  retries: {
    rules: { form: "integer", of: "both", range: RETRIES, wire: "maxRetries", canClear: true },
    help: "How many retries after a failed attempt; -1 for no limit",
  },
  uniqueKey: {
    rules: { form: "text", of: "instance" },
    doc: "Return the instance that has this key, if there is one; refuse other arguments.",
    help: "If an unfinished instance of the job has this key, return it instead of another",
    valueName: "KEY",
    heading: "Only once",
  },
  uniqueFor: {
    rules: { form: "duration", of: "instance", range: [1, DURATION_MS_MAX] },
    help: "Keep the key taken for this long, even once the instance has finished",
    heading: "Only once",
  },
  onConflict: {
    rules: { form: "choice", of: "instance", words: ["refuse", "keep", "replace"] },
    help: "If the key is taken: refuse other arguments, keep the existing instance, or replace it",
    heading: "Only once",
  },
  id: {
    rules: { form: "id", of: "instance", wire: "uuid" },
    doc: "UUID for the instance, so that a repeated request is accepted once.",
    help: "Id of the instance: a second command with the same id does not create another",
    command: "uuid",
    heading: "Only once",
  },
};

/** An option with the names derived from its name and form. */
export interface NamedOption extends Omit<RunOption, "rules">, OptionRules {
  readonly name: string;
  readonly range: readonly [min: number, max: number];
  /** Its name once durations are in milliseconds: `afterMs`. */
  readonly key: string;
  /** Its member in messages: `afterMs`, `maxRetries`. */
  readonly member: string;
  /** The field of a request in errors: `recurrence.starts_at`. */
  readonly field: string;
}

/** The options of a table with all of their names. */
export function namedOptions(
  table: Readonly<Record<string, RunOption>> = RUN_OPTIONS,
): readonly NamedOption[] {
  return Object.entries(table).map(([name, { rules, ...shown }]) => {
    const { form, wire, isInRecurrence } = rules;
    const range = rules.range ?? [0, form === "duration" ? DURATION_MS_MAX : TIME_MAX] as const;
    const key = form === "duration" ? `${name}Ms` : name;
    const member = wire ?? key;
    const field = `${isInRecurrence ? "recurrence." : ""}${snakeCase(member)}`;
    return { ...shown, ...rules, name, range, key, member, field };
  });
}

/** All options. */
export const NAMED_OPTIONS: readonly NamedOption[] = namedOptions();
/** The options of an instance. */
export const INSTANCE_OPTIONS = NAMED_OPTIONS.filter((option) => option.of !== "schedule");
/** The options of a recurring schedule. */
export const SCHEDULE_OPTIONS = NAMED_OPTIONS.filter((option) => option.of !== "instance");
