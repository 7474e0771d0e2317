import type { ArgumentInput } from "../../core/arguments/signature.ts";
import { messageOf } from "../../core/errors.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import type { ReportedRun } from "../../core/job/external.ts";
import { CONFLICTS } from "../../core/job/job_manager.ts";
import { parseJson, sizeProblem } from "../../core/arguments/json_text.ts";
import { MISFIRES, OVERLAPS } from "../../core/time/schedule.ts";
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

/** Fields that a change of a schedule may clear. */
const CLEARED = {
  starts_at: "startsAt",
  ends_at: "endsAt",
  blackout: "blackout",
  runs_max: "runsMax",
  priority: "priority",
  timeout_ms: "timeoutMs",
  max_retries: "retries",
} as const satisfies Readonly<Record<string, keyof ScheduleChange>>;
const CLEARABLE = Object.keys(CLEARED) as (keyof typeof CLEARED)[];

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
  if (typeof value === "object" && value !== null) return value as ArgumentInput;
  throw refuse(
    field,
    `found ${quote(request.argumentsJson)}, wanted an array (by position) or an object (by name)`,
  );
}

// go-job's clients send −1 for no priority. A client that means −1 uses the other field.
function readPriority(
  { priority, exactPriority }: Pick<ScheduleJobRequest, "priority" | "exactPriority">,
): number | undefined {
  return exactPriority ?? (priority === -1 ? undefined : priority);
}

function readRetries(value: number | undefined, field: string): number | undefined {
  if (value === undefined || value >= -1) return value;
  throw refuse(field, `found ${value}, wanted 0 or more, or -1 for no limit`);
}

/** Options that both kinds of scheduling have. */
function readCarried(
  request: Pick<
    ScheduleJobRequest,
    "arguments" | "argumentsJson" | "maxRetries" | "timeoutMs" | "jitterMs"
  >,
  priority: number | undefined,
  prefix = "",
) {
  return withoutUndefined({
    arguments: readArguments(request, prefix),
    priority,
    retries: readRetries(request.maxRetries, `${prefix}max_retries`),
    timeoutMs: readSet(request.timeoutMs, readMs, `${prefix}timeout_ms`),
    jitterMs: readSet(request.jitterMs, readMs, `${prefix}jitter_ms`),
  });
}

/** Other arguments of an instance that runs again. @throws JobError `invalid_argument` */
export function readRetryOptions(request: RetryInstanceRequest): RetryOptions {
  const hasArguments = request.arguments.length > 0 || isSet(request.argumentsJson);
  return hasArguments ? { arguments: readArguments(request, "") } : {};
}

/**
 * Options of an instance.
 *
 * @param prefix precedes the field's name in errors
 * @throws JobError `invalid_argument`
 */
export function readScheduleOptions(request: ScheduleJobRequest, prefix = ""): ScheduleOptions {
  for (const field of ["timezone", "overlap", "misfire"] as const) {
    if (!isSet(request[field])) continue;
    throw refuse(`${prefix}${field}`, 'it needs "cron"', 'Set "cron" to make a schedule');
  }
  if (request.at && request.afterMs !== undefined) {
    throw refuse(`${prefix}after_ms`, 'it cannot be combined with "at"', "Set only one of them");
  }
  return withoutUndefined({
    ...readCarried(request, readPriority(request), prefix),
    deadlineMs: readSet(request.deadlineMs, readMs, `${prefix}deadline_ms`),
    at: readSet(request.at, readTime, `${prefix}at`),
    afterMs: readSet(request.afterMs, readMs, `${prefix}after_ms`),
    uniqueKey: textOf(request.uniqueKey),
    uniqueForMs: readSet(request.uniqueForMs, readMs, `${prefix}unique_for_ms`),
    onConflict: isSet(request.onConflict)
      ? readChoice(request.onConflict, CONFLICTS, `${prefix}on_conflict`)
      : undefined,
    id: readSet(textOf(request.uuid), readUuid, `${prefix}uuid`),
  });
}

/** Options of a recurring schedule. @throws JobError `invalid_argument` naming the field */
export function readRecurringOptions(request: ScheduleJobRequest): RecurringOptions {
  const foreign = {
    at: request.at,
    after_ms: request.afterMs,
    unique_key: request.uniqueKey,
    unique_for_ms: request.uniqueForMs,
    on_conflict: request.onConflict,
    uuid: request.uuid,
    deadline_ms: request.deadlineMs,
  };
  for (const [field, value] of Object.entries(foreign)) {
    if (value === undefined) continue;
    throw refuse(
      field,
      'it cannot be combined with "cron"',
      "A recurring schedule has no such field",
    );
  }
  return withoutUndefined({
    cron: request.cron ?? "",
    ...readCarried(request, readPriority(request)),
    timezone: textOf(request.timezone),
    ...readRecurrence(request),
  });
}

/** Options of a recurring schedule, except its times and the options of its instances. */
function readRecurrence(
  request: Pick<ScheduleJobRequest, "overlap" | "misfire" | "recurrence">,
): Partial<RecurringOptions> {
  const { overlap, misfire, recurrence } = request;
  const { startsAt, endsAt, blackout = [], runsMax, queueMax, misfireWithinMs } = recurrence ?? {};
  return withoutUndefined({
    overlap: isSet(overlap) ? readChoice(overlap, OVERLAPS, "overlap") : undefined,
    misfire: isSet(misfire) ? readChoice(misfire, MISFIRES, "misfire") : undefined,
    startsAt: readSet(startsAt, readTime, "recurrence.starts_at"),
    endsAt: readSet(endsAt, readTime, "recurrence.ends_at"),
    blackout: blackout.length > 0 ? bounded(blackout, "recurrence.blackout") : undefined,
    runsMax,
    queueMax,
    misfireWithinMs: readSet(misfireWithinMs, readMs, "recurrence.misfire_within_ms"),
  });
}

/** The changes of a schedule. @throws JobError `invalid_argument` naming the field */
export function readScheduleChange(request: UpdateScheduleRequest): ScheduleChange {
  const { arguments: args, ...carried } = readCarried(request, request.priority);
  const hasArguments = request.arguments.length > 0 || isSet(request.argumentsJson);
  const set: Partial<RecurringOptions> = withoutUndefined({
    ...carried,
    arguments: hasArguments ? args : undefined,
    cron: textOf(request.cron),
    timezone: textOf(request.timezone),
    ...readRecurrence(request),
  });
  const cleared = request.clear.map((name, index) => {
    const field = `clear[${index}]`;
    const option = CLEARED[readChoice(name, CLEARABLE, field)];
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
