import { kindWord } from "./kind.ts";
import { readDate } from "../arguments/convert_text.ts";
import { quoteValue } from "../text/quote_value.ts";
import { JobError } from "../errors.ts";
import { isUuid, LOG_LEVELS, type LogLevel } from "../instance.ts";
import { didYouMean } from "../text/nearest.ts";
import {
  copyOptions,
  FLAG,
  isFilled,
  isListOf,
  isObject,
  isOneOf,
  isText,
  type KeysOf,
  type KeyValue,
  withoutUndefined,
  WORD,
} from "../text/object_keys.ts";
import type { InstanceQuery } from "../query.ts";
import { JOB_STATES, type JobState, parseState, type StateName } from "../state.ts";

/** A point in time: a Date, epoch milliseconds, or ISO 8601 text such as "2026-11-24T09:00:00Z". */
export type TimeInput = Date | number | string;

/** Selects instances that match all given conditions. */
export interface InstanceFilter {
  /** One instance: its id, or the result of `scheduleJob`. */
  readonly instance?: string | { readonly id: string };
  readonly ids?: readonly string[];
  /** The first 4 or more characters of ids. */
  readonly idPrefix?: string;
  /** One kind: its name, or the result of `registerJob`. */
  readonly kind?: string | { readonly kind: string };
  readonly kinds?: readonly string[];
  /** In any spelling of the product: "timedOut", "TimedOut" or "timed_out". */
  readonly state?: StateName;
  readonly states?: readonly StateName[];
  readonly scheduleId?: string;
  readonly uniqueKey?: string;
  /** Instances that were created to run this one again. */
  readonly retryOf?: string | { readonly id: string };
  /** Instances that an attempt of this one scheduled. */
  readonly parentId?: string | { readonly id: string };
  /** This instance and all its descendants: what it scheduled, what they scheduled, and so on. */
  readonly flowId?: string | { readonly id: string };
  /** Only dead letters: instances that failed for good and were not run again. */
  readonly isDead?: true;
  /** Created at or after. */
  readonly after?: TimeInput;
  /** Created before. */
  readonly before?: TimeInput;
  /** Finished at or after. */
  readonly endedAfter?: TimeInput;
  /** Finished before. */
  readonly endedBefore?: TimeInput;
  /** Claimed by this node last. */
  readonly node?: string;
  /** Its arguments as JSON text contain this, in upper or lower case. */
  readonly text?: string;
}

/** A cancel, redrive or clear without a condition requires `all`. */
export interface BulkOptions {
  /** Confirms that all are meant, without a condition. */
  readonly all?: boolean;
}

/** Selects instances to cancel or redrive. */
export type BulkFilter = InstanceFilter & BulkOptions;

/** Selects final instances to delete. */
export interface ClearFilter extends BulkFilter {
  /** Settled before. */
  readonly settledBefore?: TimeInput;
}

/** Selects state transitions that match all given conditions. */
export interface HistoryFilter
  extends Pick<InstanceFilter, "instance" | "kind" | "after" | "before"> {
  /** The same as `instance`. */
  readonly instanceId?: string;
}

/** Selects log lines that match all given conditions. */
export interface LogFilter extends HistoryFilter {
  /** This level and above. */
  readonly level?: LogLevel;
  /** Of one instance: the last line first. */
  readonly newestFirst?: true;
  /** For one instance: begin with the line of this number, in that direction. */
  readonly fromLine?: number;
}

/** Selects log lines to delete. */
export type LogClearFilter = Omit<LogFilter, "fromLine" | "newestFirst"> & BulkOptions;

/** Selects log lines to follow. */
export type LogTailFilter = Omit<LogFilter, "after" | "before" | "fromLine" | "newestFirst">;

/** A {@link LogFilter} or {@link HistoryFilter} as read, with its only condition. */
interface ReadLogFilter
  extends
    Pick<LogFilter, "level" | "newestFirst" | "fromLine">,
    Pick<InstanceQuery, "after" | "before"> {
  readonly instanceId?: string;
  readonly kind?: string;
}

// Values of a filter's members. Errors for a list in place of one value suggest the right key.
const INSTANCE: KeyValue = ["an instance or its id", (value) => idOf(value) !== null];
const KIND: KeyValue = ["a kind or a job", (value) => kindOf(value) !== null];
const TIME: KeyValue = [
  'a Date, epoch milliseconds or ISO 8601 text such as "2026-11-24T09:00:00Z"',
  (value) => timeOf(value) !== null,
];

const INSTANCE_KEYS: KeysOf<InstanceFilter> = {
  instance: INSTANCE,
  ids: ["a list of ids", isListOf((id) => isText(id) && idOf(id) !== null)],
  idPrefix: [
    "the first 4 or more characters of an id",
    (value) => isText(value) && /^[0-9a-f-]{4,36}$/i.test(value),
  ],
  kind: ["a kind or a job (kinds takes a list)", KIND[1]],
  kinds: ["a list of kinds (kind takes one)", isListOf(isFilled)],
  state: ["a state (states takes a list)", isText],
  states: ["a list of states (state takes one)", isListOf(isText)],
  scheduleId: WORD,
  uniqueKey: WORD,
  retryOf: INSTANCE,
  parentId: INSTANCE,
  flowId: INSTANCE,
  isDead: ["true", (value) => value === true],
  after: TIME,
  before: TIME,
  endedAfter: TIME,
  endedBefore: TIME,
  node: WORD,
  text: WORD,
};
const BULK_KEYS: KeysOf<BulkOptions> = { all: FLAG };
const CLEAR_KEYS: KeysOf<ClearFilter> = { ...INSTANCE_KEYS, ...BULK_KEYS, settledBefore: TIME };
const HISTORY_KEYS: KeysOf<HistoryFilter> = {
  instance: INSTANCE,
  instanceId: INSTANCE,
  kind: KIND,
  after: TIME,
  before: TIME,
};
const LOG_KEYS: KeysOf<LogFilter> = {
  ...HISTORY_KEYS,
  level: [`one of ${LOG_LEVELS.join(", ")}`, isOneOf(LOG_LEVELS)],
  newestFirst: ["true", (value) => value === true],
  fromLine: [
    "a whole number from 1",
    (value) => Number.isSafeInteger(value) && (value as number) > 0,
  ],
};
const { fromLine: _, newestFirst: __, ...LOG_CLEAR_KEYS } = LOG_KEYS;
const { after: ___, before: ____, ...LOG_TAIL_KEYS } = LOG_CLEAR_KEYS;

/**
 * Read a filter of a lookup.
 *
 * @throws JobError `invalid_argument` for an unknown member, naming the nearest one, a value of the
 *   wrong type, an unknown state, and two members for the same condition
 */
export function readInstanceFilter(filter: InstanceFilter | undefined): InstanceQuery {
  const action = "look up instances";
  return readConditions(checkFilter(filter, INSTANCE_KEYS, action), action);
}

/**
 * Read a filter of a cancel or a redrive.
 *
 * @param action as a verb, such as "cancel"
 * @param options may have `all` instead of a filter
 * @throws JobError `invalid_argument` like {@link readInstanceFilter}, and without a condition
 * unless `all` is set
 */
export function readBulkFilter(
  filter: BulkFilter | undefined,
  options: BulkOptions,
  action: string,
): InstanceQuery {
  const keys = { ...INSTANCE_KEYS, ...BULK_KEYS };
  return readConditions(checkBulk(filter, keys, options, action), action);
}

/** Read a filter of final instances to delete; errors as of {@link readBulkFilter}. */
export function readClearFilter(
  filter: ClearFilter | undefined,
  options: BulkOptions,
): { readonly query: InstanceQuery; readonly settledBefore: number | undefined } {
  const action = "clear the instance history";
  const { settledBefore, ...conditions } = checkBulk(filter, CLEAR_KEYS, options, action);
  return {
    query: readConditions(conditions, action),
    settledBefore: ifGiven(settledBefore, timeOf),
  };
}

/** Read a filter of state transitions; errors as of {@link readInstanceFilter}. */
export function readHistoryFilter(
  filter: HistoryFilter | undefined,
): Omit<ReadLogFilter, "level" | "fromLine" | "newestFirst"> {
  const action = "look up the history";
  return readLogConditions(checkFilter(filter, HISTORY_KEYS, action), action);
}

/** Read a filter of log lines; errors as of {@link readInstanceFilter}. */
export function readLogFilter(filter: LogFilter | undefined): ReadLogFilter {
  const action = "look up logs";
  return readLogConditions(checkFilter(filter, LOG_KEYS, action), action);
}

/** Read the filter of followed log lines; errors like {@link readInstanceFilter}. */
export function readLogTailFilter(
  filter: LogTailFilter | undefined,
): Omit<ReadLogFilter, "after" | "before" | "fromLine" | "newestFirst"> {
  return readLogConditions(checkFilter(filter, LOG_TAIL_KEYS, "follow logs"), "follow logs");
}

/** Read a filter of log lines to delete; errors as of {@link readBulkFilter}. */
export function readLogClearFilter(
  filter: LogClearFilter | undefined,
  options: BulkOptions,
): Omit<ReadLogFilter, "fromLine" | "newestFirst"> {
  const action = "clear the logs";
  const keys = { ...LOG_CLEAR_KEYS, ...BULK_KEYS };
  return readLogConditions(checkBulk(filter, keys, options, action), action);
}

/** True if nothing can match: a list of ids, kinds or states is empty. */
export function matchesNothing({ ids, kinds, states }: InstanceQuery): boolean {
  return [ids, kinds, states].some((list) => list?.length === 0);
}

/** Refuse bulk calls without a condition unless `isAll`. @throws JobError `invalid_argument` */
export function assertCondition(query: object, isAll: boolean, action: string): void {
  if (isAll || Object.values(query).some((value) => value !== undefined)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot ${action} without a condition: the query is empty`,
    { path: "query", hint: "Name a kind or an instance, or write all: true for all of them" },
  );
}

function checkFilter<T extends object>(
  filter: T | undefined,
  keys: KeysOf<T>,
  action: string,
): T {
  return copyOptions(filter, keys, { failure: `Cannot ${action}`, noun: "condition" });
}

/**
 * The conditions of a filter. Unlike in a lookup, undefined members and empty filters are refused:
 * an omission must not widen a deletion.
 */
function checkBulk<T extends BulkOptions>(
  filter: T | undefined,
  keys: KeysOf<T>,
  options: BulkOptions,
  action: string,
): Omit<T, "all"> {
  const given = checkFilter(filter, keys, action);
  for (const [path, value] of Object.entries(given)) {
    if (value !== undefined) continue;
    throw new JobError("invalid_argument", `Cannot ${action}: "${path}" is undefined`, {
      path,
      hint: "Leave it out if you do not want this condition",
    });
  }
  const { all, ...conditions } = given;
  assertCondition(conditions, all === true || options.all === true, action);
  return conditions;
}

/** `read` of a value that may be absent and passed its check. */
function ifGiven<Value, Read>(
  value: Value | undefined,
  read: (value: Value) => Read | null,
): Read | undefined {
  return value === undefined ? undefined : read(value)!;
}

/** A key as stored in an instance. It begins with the kind, even for a filter of one kind. */
function keyOfOne(kinds: readonly string[] | undefined, key: string): string {
  if (kinds?.length !== 1) return key;
  const word = `${kindWord(kinds[0]!)} `;
  return key.startsWith(word) ? key : word + key;
}

function readConditions(filter: InstanceFilter, action: string): InstanceQuery {
  const { instance, kind, state, ...rest } = filter;
  assertOne(filter, ["instance", "ids"], action);
  assertOne(filter, ["kind", "kinds"], action);
  assertOne(filter, ["state", "states"], action);
  const ids = instance === undefined ? rest.ids : [idOf(instance)!];
  const states = state === undefined ? rest.states : [state];
  const kinds = kind === undefined ? rest.kinds : [kindOf(kind)!];
  return withoutUndefined({
    ...rest,
    ids: ids?.map((id) => id.toLowerCase()),
    idPrefix: rest.idPrefix?.toLowerCase(),
    kinds,
    states: states?.map((name, index) =>
      readState(name, state === undefined ? `states[${index}]` : "state", action)
    ),
    uniqueKey: ifGiven(rest.uniqueKey, (key) => keyOfOne(kinds, key)),
    retryOf: ifGiven(rest.retryOf, idOf),
    parentId: ifGiven(rest.parentId, idOf),
    flowId: ifGiven(rest.flowId, idOf),
    after: ifGiven(rest.after, timeOf),
    before: ifGiven(rest.before, timeOf),
    endedAfter: ifGiven(rest.endedAfter, timeOf),
    endedBefore: ifGiven(rest.endedBefore, timeOf),
  });
}

function readLogConditions(filter: LogFilter, action: string): ReadLogFilter {
  assertOne(filter, ["instance", "instanceId"], action);
  const { instance, ...rest } = filter;
  return withoutUndefined({
    ...rest,
    instanceId: ifGiven(instance ?? rest.instanceId, idOf),
    kind: ifGiven(rest.kind, kindOf),
    after: ifGiven(rest.after, timeOf),
    before: ifGiven(rest.before, timeOf),
  });
}

function assertOne(
  filter: object,
  [one, other]: readonly [string, string],
  action: string,
): void {
  const has = (name: string) => Reflect.get(filter, name) !== undefined;
  if (!has(one) || !has(other)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot ${action}: "${one}" and "${other}" are both given`,
    { path: other, hint: "Give one of them" },
  );
}

function readState(name: string, path: string, action: string): JobState {
  const state = parseState(name);
  if (state !== null) return state;
  throw new JobError(
    "invalid_argument",
    `Cannot ${action}: "${path}" is ${quoteValue(name)}, which is not a state`,
    { path, hint: didYouMean(name, JOB_STATES) ?? `States: ${JOB_STATES.join(", ")}` },
  );
}

/** The id in lower case of an instance or an id; null for anything else. */
function idOf(value: unknown): string | null {
  const id = isObject(value) ? value.id : value;
  if (typeof id !== "string") return null;
  return isUuid(id.toLowerCase()) ? id.toLowerCase() : null;
}

function kindOf(value: unknown): string | null {
  const kind = isObject(value) ? value.kind : value;
  return isFilled(kind) ? kind : null;
}

function timeOf(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime();
  if (typeof value !== "string") return null;
  const reading = readDate(value);
  return "value" in reading ? reading.value.getTime() : null;
}
