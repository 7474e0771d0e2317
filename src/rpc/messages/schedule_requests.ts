import type { ArgumentInput } from "../../core/arguments/signature.ts";
import { messageOf } from "../../core/errors.ts";
import { isObject, withoutUndefined } from "../../core/text/object_keys.ts";
import type { ReportedRun } from "../../core/job/external.ts";
import {
  INSTANCE_OPTIONS,
  type NamedOption,
  type RunOptionForm,
  SCHEDULE_OPTIONS,
} from "../../core/job/run_options.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import { parseJson, sizeProblem } from "../../core/arguments/json_text.ts";
import { repeatedMember } from "../../core/arguments/repeated_member.ts";
import type {
  RecurringOptions,
  RetryOptions,
  ScheduleChange,
  ScheduleOptions,
} from "../../manager/api.ts";
import type {
  ReportRunRequest,
  RetryInstanceRequest,
  ScheduleJobRequest,
  UpdateScheduleRequest,
} from "../gen/job_pb.ts";
import {
  bounded,
  isSet,
  quote,
  readChoice,
  readMs,
  readName,
  readSet,
  readTime,
  readUuid,
  refuse,
  textOf,
} from "./requests.ts";

/** Fields that a change of a schedule may clear, with their options. */
const CLEARED: ReadonlyMap<string, keyof ScheduleChange> = new Map(
  SCHEDULE_OPTIONS.filter(({ canClear }) => canClear)
    .map(({ member, key }) => [snakeCase(member), key as keyof ScheduleChange]),
);
const CLEARABLE = [...CLEARED.keys()];

function readArguments(
  request: Pick<ScheduleJobRequest, "arguments" | "argumentsJson">,
  prefix: string,
): ArgumentInput {
  if (!isSet(request.argumentsJson)) return request.arguments;
  const field = `${prefix}arguments_json`;
  if (request.arguments.length > 0) {
    throw refuse(field, 'it cannot be combined with "arguments"', "Set only one of them");
  }
  const problem = sizeProblem(request.argumentsJson);
  if (problem !== null) {
    throw refuse(field, problem, "Keep large data in a file or a database and pass its name");
  }
  let value: unknown;
  try {
    value = parseJson(request.argumentsJson);
  } catch (error) {
    throw refuse(
      field,
      `found ${quote(request.argumentsJson)}, which is not JSON: ${messageOf(error)}`,
    );
  }
  const repeated = repeatedMember(request.argumentsJson, value);
  if (repeated !== null) {
    throw refuse(field, `it has ${quote(repeated)} twice`, "Give each member once");
  }
  if (typeof value === "object" && value !== null) return value as ArgumentInput;
  throw refuse(
    field,
    `found ${quote(request.argumentsJson)}, wanted an array (by position) or an object (by name)`,
  );
}

// go-job's clients send −1 for no priority. A client that really means −1 uses the other field.
function readPriority(
  { priority, exactPriority }: Pick<ScheduleJobRequest, "priority" | "exactPriority">,
): number | undefined {
  return exactPriority ?? (priority === -1 ? undefined : priority);
}

function readInteger(value: number, field: string, { range: [min] }: NamedOption): number {
  if (min !== -1 || value >= -1) return value;
  throw refuse(field, `found ${value}, wanted 0 or more, or -1 for no limit`);
}

/** Readers of set fields, by the form of their options. */
const READERS: Readonly<
  Record<RunOptionForm, (value: never, field: string, option: NamedOption) => unknown>
> = {
  arguments: () => undefined,
  choice: (value: string, field, { words = [] }) => readChoice(value, words, field),
  duration: readMs,
  id: readUuid,
  instant: readTime,
  integer: readInteger,
  moment: readTime,
  text: (value) => value,
  texts: (value: readonly string[], field) => value.length > 0 ? bounded(value, field) : undefined,
};

/** A message as options are read from it. */
type Fields = Readonly<Record<string, unknown>>;

const inMessage = (options: readonly NamedOption[]): ReadonlyMap<string, NamedOption> =>
  new Map(options.map((option) => [option.member, option]));
/** Options by their members in messages. */
const OF_INSTANCE = inMessage(INSTANCE_OPTIONS);
const OF_SCHEDULE = inMessage(SCHEDULE_OPTIONS.filter((option) => !option.isInRecurrence));
const OF_RECURRENCE = inMessage(SCHEDULE_OPTIONS.filter((option) => option.isInRecurrence));

/** Options that only one of the two requests has. */
const ONLY_SCHEDULE = SCHEDULE_OPTIONS.filter((one) =>
  one.of === "schedule" && !one.isInRecurrence
);
const ONLY_INSTANCE = INSTANCE_OPTIONS.filter((one) => one.of === "instance");

/** The options in a message, except arguments. An empty text counts as absent. */
function readFields<Options>(
  message: object,
  options: ReadonlyMap<string, NamedOption>,
  prefix = "",
): Options {
  const found: Record<string, unknown> = {};
  // By the members of the message, since most of thousands have few.
  for (const member of Object.keys(message)) {
    const given = (message as Fields)[member];
    if (given === undefined || given === "") continue;
    const option = options.get(member);
    if (option === undefined) continue;
    const value = READERS[option.form](given as never, prefix + option.field, option);
    if (value !== undefined) found[option.key] = value;
  }
  return found as Options;
}

function readRecurring<Options>(
  request: Pick<ScheduleJobRequest, "recurrence">,
): Options {
  const options = readFields<Options>(request, OF_SCHEDULE);
  const { recurrence } = request;
  return recurrence ? { ...options, ...readFields<Options>(recurrence, OF_RECURRENCE) } : options;
}

/** Options with the arguments and the priority of a request to schedule. */
function withCarried<Options>(options: Options, request: ScheduleJobRequest, prefix = ""): Options {
  const args = readArguments(request, prefix);
  return withoutUndefined({ ...options, arguments: args, priority: readPriority(request) });
}

/** Results of steps by name, or refused. */
function readResults(text: string): Readonly<Record<string, unknown>> {
  const wanted = 'Write the results by step: {"charge": {"id": "c1"}}';
  const problem = sizeProblem(text);
  if (problem !== null) throw refuse("set_json", problem, wanted);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw refuse("set_json", messageOf(error), wanted);
  }
  if (isObject(value)) return value;
  throw refuse("set_json", `found ${quote(text)}`, wanted);
}

/** The changes of an instance that runs again. @throws JobError `invalid_argument` */
export function readRetryOptions(
  request: Pick<
    RetryInstanceRequest,
    "arguments" | "argumentsJson" | "fromStep" | "only" | "setJson"
  >,
): RetryOptions {
  const { fromStep, only, setJson } = request;
  const hasArguments = request.arguments.length > 0 || isSet(request.argumentsJson);
  return withoutUndefined({
    arguments: hasArguments ? readArguments(request, "") : undefined,
    from: isSet(fromStep) ? fromStep : undefined,
    only: only || undefined,
    set: isSet(setJson) ? readResults(setJson) : undefined,
  });
}

/**
 * Options of an instance.
 *
 * @param prefix precedes the field's name in errors
 * @throws JobError `invalid_argument`
 */
export function readScheduleOptions(request: ScheduleJobRequest, prefix = ""): ScheduleOptions {
  for (const { member, field } of ONLY_SCHEDULE) {
    const value = (request as unknown as Fields)[member];
    if (value === undefined || value === "") continue;
    throw refuse(`${prefix}${field}`, 'it needs "cron"', 'Set "cron" to make a schedule');
  }
  if (request.at && request.afterMs !== undefined) {
    throw refuse(`${prefix}after_ms`, 'it cannot be combined with "at"', "Set only one of them");
  }
  return withCarried(readFields<ScheduleOptions>(request, OF_INSTANCE, prefix), request, prefix);
}

/** Options of a recurring schedule. @throws JobError `invalid_argument` naming the field */
export function readRecurringOptions(request: ScheduleJobRequest): RecurringOptions {
  for (const { member, field } of ONLY_INSTANCE) {
    if ((request as unknown as Fields)[member] === undefined) continue;
    throw refuse(
      field,
      'it cannot be combined with "cron"',
      "A recurring schedule has no such field",
    );
  }
  return withCarried(readRecurring<RecurringOptions>(request), request);
}

/** The changes of a schedule. @throws JobError `invalid_argument` naming the field */
export function readScheduleChange(request: UpdateScheduleRequest): ScheduleChange {
  const set: ScheduleChange = {
    ...readRetryOptions(request),
    ...readRecurring<ScheduleChange>(request),
  };
  const cleared = request.clear.map((name, index) => {
    const field = `clear[${index}]`;
    const option = CLEARED.get(readChoice(name, CLEARABLE, field))!;
    if (set[option] === undefined) return [option, null];
    throw refuse(field, `"${name}" also has a value`, "Set a value or clear it, not both");
  });
  return { ...set, ...Object.fromEntries(cleared) };
}

/**
 * One entry of a batch: not recurring, and a dry run only if all are.
 *
 * @throws JobError `invalid_argument` naming the field
 */
export function readBatchEntry(
  request: ScheduleJobRequest,
  index: number,
  isDryRun = false,
): ScheduleOptions & { readonly kind: string } {
  const prefix = `requests[${index}].`;
  if (isSet(request.cron)) throw refuse(`${prefix}cron`, "a batch makes no recurring schedules");
  if (request.dryRun && !isDryRun) {
    throw refuse(`${prefix}dry_run`, "other requests of the batch are no dry run", "Set it in all");
  }
  return {
    kind: readName(request.kind, `${prefix}kind`),
    ...readScheduleOptions(request, prefix),
  };
}

const RUN_EVENTS = ["start", "success", "failure", "log"] as const;

/** A run elsewhere, as a request reports it. @throws JobError `invalid_argument` with the field */
export function readReport(request: ReportRunRequest): ReportedRun {
  const { event, runId, exitCode, signal, message, output, host } = request;
  return withoutUndefined({
    event: readChoice(event, RUN_EVENTS, "event"),
    runId: textOf(runId),
    startedMsAgo: readSet(request.startedMsAgo, readMs, "started_ms_ago"),
    msAgo: readSet(request.msAgo, readMs, "ms_ago"),
    exitCode,
    signal: textOf(signal),
    message: textOf(message),
    output,
    host: textOf(host),
  });
}
