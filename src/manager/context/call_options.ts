import { quoteValue } from "../../core/text/quote_value.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import {
  ARGUMENTS,
  type Check,
  copyOptions,
  FLAG,
  isListOf,
  isObject,
  isOneOf,
  isText,
  isWithin,
  type Keys,
  type KeysOf,
  type KeyValue,
  NUMBER,
  TEXT,
  withoutUndefined,
} from "../../core/text/object_keys.ts";
import { RECURRING_KEYS } from "../../core/job/schedule_options.ts";
import { BATCH_MAX, type PageRequest } from "../../store/store.ts";
import type { IncidentQuery } from "../../notices/incidents/incidents.ts";
import type { SilenceOptions } from "../../notices/incidents/silences.ts";
import type { CalendarQuery, ForecastQuery, SpanQuery, TimelineQuery } from "../api/timeline.ts";
import type { RetryOptions } from "../../core/job/job_manager.ts";
import type { FollowOptions, SignalOptions } from "../api/instances.ts";
import type { BackfillRequest, ExplainQuery, ScheduleTarget } from "../api/schedules.ts";

/** A page of a listing; by default the first one, of at most 1,000 items. */
export type PageInput = Partial<PageRequest>;

const TIME: KeyValue = ["a time in epoch milliseconds", NUMBER[1]];

const isMilliseconds: Check = (value) => typeof value === "number" && value >= 0;

const PAGE_KEYS: KeysOf<PageRequest> = {
  limit: [`a whole number from 1 to ${BATCH_MAX}`, isWithin(1, BATCH_MAX)],
  token: TEXT,
  order: ['"newest" or "oldest"', isOneOf(["newest", "oldest"])],
  lookMax: ["a whole number from 1 to 100000", isWithin(1, 100_000)],
};

/** A change may remove optional members of a schedule. */
const CHANGE_KEYS: Keys = Object.fromEntries(
  Object.entries(RECURRING_KEYS).map(([name, [wanted, check]]) => {
    return [name, [wanted, (value: unknown) => value === null || check(value)] as const];
  }),
);

const TARGET_KEYS: KeysOf<ScheduleTarget> = { kind: TEXT, scheduleId: TEXT };

const SPAN_KEYS: KeysOf<SpanQuery> = {
  from: TIME,
  to: TIME,
  kinds: ["a list of texts", isListOf(isText)],
};

const KEYS = {
  page: PAGE_KEYS,
  "recurring schedule": RECURRING_KEYS,
  change: CHANGE_KEYS,
  target: TARGET_KEYS,
  skip: { until: TIME, count: NUMBER },
  backfill: { ...TARGET_KEYS, from: TIME, to: TIME, dryRun: FLAG } satisfies KeysOf<
    BackfillRequest
  >,
  explain: {
    instanceId: TEXT,
    kind: TEXT,
    at: TIME,
    spanMs: NUMBER,
    limit: NUMBER,
    scheduleId: TEXT,
    before: TIME,
  } satisfies KeysOf<ExplainQuery>,
  forecast: { ...SPAN_KEYS, limit: NUMBER, spans: NUMBER } satisfies KeysOf<ForecastQuery>,
  calendar: { ...SPAN_KEYS, timezone: TEXT, hours: FLAG } satisfies KeysOf<CalendarQuery>,
  timeline: { ...SPAN_KEYS, limit: NUMBER, spans: NUMBER } satisfies KeysOf<TimelineQuery>,
  schedules: { kind: TEXT },
  bulk: { all: FLAG },
  retry: {
    arguments: ARGUMENTS,
    from: TEXT,
    only: FLAG,
    set: ["an object of results by step", isObject],
  } satisfies KeysOf<RetryOptions>,
  redrive: { all: FLAG, isForced: FLAG },
  signal: {
    value: ["a value", () => true],
    signalId: ["text", (value) => value === null || isText(value)],
    by: ["text", (value) => value === null || isText(value)],
  } satisfies KeysOf<SignalOptions>,
  cancel: { all: FLAG, mayCancelNotices: FLAG },
  pause: { until: TIME, reason: TEXT },
  freeze: { thaw: FLAG, reason: TEXT },
  incidents: {
    kind: TEXT,
    jobs: ["a list of texts", isListOf(isText)],
    withClosed: FLAG,
  } satisfies KeysOf<IncidentQuery>,
  silence: { until: TIME, reason: TEXT, by: TEXT } satisfies KeysOf<SilenceOptions>,
  follow: {
    cursor: ["text", (value) => value === null || isText(value)],
    fromNow: FLAG,
    logsOnly: FLAG,
    signal: ["an AbortSignal", (value) => value instanceof AbortSignal],
  } satisfies KeysOf<FollowOptions>,
  stop: { drainMs: ["a number of milliseconds", isMilliseconds], keepsCommands: FLAG },
} as const satisfies Readonly<Record<string, Keys>>;

/**
 * Check the options of a call, such as "list schedules": unknown ones and wrong types are refused.
 *
 * @throws JobError `invalid_argument`, whose hint has the nearest known option
 */
export function readOptions<T extends object>(
  what: keyof typeof KEYS,
  given: T | undefined,
  action: string,
): T {
  return copyOptions(given, KEYS[what], { failure: `Cannot ${action}` });
}

/** The requested page. @throws JobError `invalid_argument` */
export function readPage(given: PageInput | undefined, action: string): PageRequest {
  return { limit: BATCH_MAX, ...withoutUndefined(readOptions("page", given, action)) };
}

/** Check the time limit of a wait. @throws JobError `invalid_argument` */
export function checkTimeout(timeoutMs: unknown): void {
  // Infinity is no limit.
  if (timeoutMs === undefined || isMilliseconds(timeoutMs)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot wait ${quoteValue(timeoutMs)}: not a number of milliseconds from 0 up`,
    { path: "timeoutMs", hint: "Write 5_000 for five seconds" },
  );
}

/** Run `run` for one request of several; its errors name the request. */
export function inRequest<T>(index: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isJobError(error)) throw error;
    const { code, message, hint, path, options } = error;
    const place = `requests[${index}]`;
    // A job that is scheduled alone is an argument of the call, not a member.
    const member = path === "job" ? ".kind" : path ? `.${path}` : "";
    throw new JobError(code, `${message} (${place})`, {
      hint,
      path: `${place}${member}`,
      options,
      cause: error,
    });
  }
}
