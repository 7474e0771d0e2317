import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { isJobError, JobError } from "../../core/errors.ts";
import { isUuid, LOG_LEVELS } from "../../core/instance.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import type { JobState } from "../../core/state.ts";
import type { ReadApi } from "../../manager/api.ts";
import type { HistoryQuery, InstanceQuery, LogQuery, PageRequest } from "../../store/store.ts";
import { stateOfWire } from "./convert.ts";
import { ITEMS_MAX } from "../limits.ts";
import type { JobState as WireState, LookupInstanceLogsRequest, Query } from "../gen/job_pb.ts";

const UUID_PART = /^[0-9a-f-]{4,36}$/;
// The years 1 to 9999, which RFC 3339 can express.
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;
/** Longest text that a message quotes. */
const QUOTED_MAX = 100;

/** A text of a request in quotes, for a message. */
export function quote(value: string): string {
  return value.length <= QUOTED_MAX ? `"${value}"` : `"${value.slice(0, QUOTED_MAX)}…"`;
}

/** A refusal that names the field. */
export function refuse(field: string, problem: string, hint?: string): JobError {
  return new JobError("invalid_argument", `Cannot read field "${field}": ${problem}`, {
    // In the library, the option "id" is the field "uuid" here.
    ...(field === "id" ? { path: field } : { options: [field] }),
    hint,
  });
}

/** A whole UUID, in lower case. @throws JobError `invalid_argument` naming `field` */
export function readUuid(value: string, field: string): string {
  const id = value.toLowerCase();
  if (isUuid(id)) return id;
  throw refuse(
    field,
    `found ${quote(value)}, wanted a UUID`,
    "GetInstance finds an instance by any unambiguous part of its UUID of 4 or more characters",
  );
}

/** A UUID or at least four characters of one. @throws JobError `invalid_argument` naming `field` */
export function readUuidPart(value: string, field: string): string {
  const id = value.toLowerCase();
  if (UUID_PART.test(id)) return id;
  throw refuse(field, `found ${quote(value)}, wanted a UUID or 4 or more characters of one`);
}

/** A required name. @throws JobError `invalid_argument` naming `field` */
export function readName(value: string, field: string): string {
  if (value !== "") return value;
  throw refuse(field, "it is empty");
}

/** A time, in epoch ms. @throws JobError `invalid_argument` naming `field` */
export function readTime(value: Timestamp, field: string): number {
  const { seconds, nanos } = value;
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) {
    throw refuse(field, `found ${seconds} seconds, wanted the years 1 to 9999`);
  }
  if (nanos < 0 || nanos > 999_999_999) {
    throw refuse(field, `found ${nanos} nanoseconds, wanted 0 to 999999999`);
  }
  return Number(seconds) * 1000 + Math.floor(nanos / 1e6);
}

/** A length of time in milliseconds. @throws JobError `invalid_argument` naming `field` */
export function readMs(value: bigint, field: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw refuse(field, `found ${value}, wanted milliseconds from 0`);
}

function readState(value: WireState, field: string): JobState | null {
  const state = stateOfWire(value);
  if (state !== undefined) return state;
  throw refuse(field, `found ${value}, wanted 1, 2, 4, 8, 16, 32 or 64`);
}

/** One of a few words. @throws JobError `invalid_argument` naming `field` */
export function readChoice<const T extends string>(
  value: string,
  choices: readonly T[],
  field: string,
): T {
  const choice = choices.find((name) => name === value);
  if (choice !== undefined) return choice;
  throw refuse(field, `found ${quote(value)}, wanted ${choices.join(", ")}`);
}

/** True if a text is not empty: go-job's clients send an empty one for "any". */
export function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

/** The text, unless it is empty: see {@link isSet}. */
export function textOf(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

/** `read` applied to a field, unless it is absent. */
export function readSet<Value, Result>(
  value: Value | undefined,
  read: (value: Value, field: string) => Result,
  field: string,
): Result | undefined {
  return value === undefined ? undefined : read(value, field);
}

/**
 * A page.
 *
 * @param limitMax most items that fit in the response
 * @throws JobError `invalid_argument` naming the field
 */
export function readPage(
  from: {
    readonly pageSize?: number;
    readonly pageToken?: string;
    readonly oldestFirst?: boolean;
  } | undefined,
  field: string,
  limitMax: number,
): PageRequest {
  const size = from?.pageSize ?? ITEMS_MAX;
  if (size < 1 || size > ITEMS_MAX) {
    throw refuse(`${field}page_size`, `found ${size}, wanted 1 to ${ITEMS_MAX}`);
  }
  return withoutUndefined({
    limit: Math.min(size, limitMax),
    token: textOf(from?.pageToken),
    order: readSet(from?.oldestFirst, (isOldest) => isOldest ? "oldest" : "newest", field),
  });
}

function readIds(query: Query): string[] {
  const ids = query.uuids.map((id, index) => readUuid(id, `query.uuids[${index}]`));
  if (isSet(query.uuid)) ids.push(readUuid(query.uuid, "query.uuid"));
  return ids;
}

function readStates(query: Query): JobState[] {
  const states: JobState[] = [];
  const add = (value: WireState, field: string) => {
    const state = readState(value, field);
    if (state !== null) states.push(state);
  };
  query.states.forEach((value, index) => add(value, `query.states[${index}]`));
  if (query.state !== undefined) add(query.state, "query.state");
  return states;
}

/** At most ITEMS_MAX values of one condition. @throws JobError `invalid_argument` */
export function bounded<T>(items: readonly T[], field: string): readonly T[] {
  if (items.length <= ITEMS_MAX) return items;
  throw refuse(field, `found ${items.length} values, wanted at most ${ITEMS_MAX}`);
}

/** Conditions but a tag. @throws JobError `invalid_argument` naming the field */
function readConditions(query: Query | undefined): InstanceQuery {
  if (!query) return {};
  const ids = bounded(readIds(query), "query.uuids");
  const kinds = bounded(
    [...query.kinds, ...(isSet(query.kind) ? [query.kind] : [])],
    "query.kinds",
  );
  const states = bounded(readStates(query), "query.states");
  return withoutUndefined({
    ids: ids.length > 0 ? ids : undefined,
    kinds: kinds.length > 0 ? kinds : undefined,
    states: states.length > 0 ? states : undefined,
    scheduleId: textOf(query.scheduleId),
    uniqueKey: textOf(query.uniqueKey),
    isDead: query.dead || undefined,
    after: readSet(query.after, readTime, "query.after"),
    before: readSet(query.before, readTime, "query.before"),
    endedAfter: readSet(query.endedAfter, readTime, "query.ended_after"),
    endedBefore: readSet(query.endedBefore, readTime, "query.ended_before"),
    node: textOf(query.node),
    text: textOf(query.text),
  });
}

/** Reads that conditions need. */
type InstanceFinder = Pick<ReadApi, "kindsOfTag" | "getInstance">;

/**
 * Conditions on instances; empty without any. A tag becomes the kinds of the jobs that need it,
 * limited to the named kinds; an empty list matches nothing.
 *
 * @throws JobError `invalid_argument` with the field, `not_found` for a tag that no job needs
 */
export async function readInstanceQuery(
  query: Query | undefined,
  reads: InstanceFinder,
): Promise<InstanceQuery> {
  const conditions = { ...readConditions(query), ...await readOrigin(query, reads) };
  if (query?.tag === undefined) return conditions;
  const kinds = await reads.kindsOfTag(query.tag);
  const named = conditions.kinds;
  const both = named === undefined ? kinds : kinds.filter((kind) => named.includes(kind));
  return { ...conditions, kinds: bounded(both, "query.tag") };
}

/**
 * The conditions on parent and flow.
 *
 * A whole id is taken also if there is no such instance any more: its children may be there.
 */
async function readOrigin(
  query: Query | undefined,
  reads: InstanceFinder,
): Promise<Pick<InstanceQuery, "parentId" | "flowId">> {
  const find = async (id: string) => {
    try {
      return await reads.getInstance(id);
    } catch (error) {
      if (isJobError(error, "not_found") && isUuid(id.toLowerCase())) {
        return { id: id.toLowerCase(), flowId: null };
      }
      throw error;
    }
  };
  const { parentId, flowId } = query ?? {};
  // Ignored, it would let a cancel of one flow cancel everything else that matches.
  if (parentId === "") throw refuse("query.parent_id", "it is empty, wanted an id");
  if (flowId === "") throw refuse("query.flow_id", "it is empty, wanted an id");
  const parent = parentId === undefined ? undefined : await find(parentId);
  const member = flowId === undefined ? undefined : await find(flowId);
  return withoutUndefined({
    parentId: parent?.id,
    flowId: member && (member.flowId ?? member.id),
  });
}

/** The methods that change every matching instance: texts for their errors. */
const BULK = {
  cancel: {
    problem: "it is empty, and a cancel must say what to cancel",
    hint: "Give a kind, a UUID or a state, or set all = true to cancel every unfinished instance",
  },
  redrive: {
    problem: "it is empty, and a redrive must say what to run again",
    hint: "Give a kind or UUIDs, or set all = true to run every dead letter again",
  },
} as const;

/**
 * Conditions of a cancel or a redrive.
 *
 * @throws JobError as {@link readInstanceQuery}, and for an empty query unless `all`
 */
export async function readBulkQuery(
  verb: keyof typeof BULK,
  request: { readonly query?: Query | undefined; readonly all?: boolean | undefined },
  reads: InstanceFinder,
): Promise<InstanceQuery> {
  const { query, all = false } = request;
  for (const field of ["pageSize", "pageToken", "oldestFirst"] as const) {
    if (query?.[field] === undefined) continue;
    throw refuse("query", `a ${verb} has no pages`, `It ${verb}s everything that matches`);
  }
  const conditions = await readInstanceQuery(query, reads);
  if (all || Object.keys(conditions).length > 0) return conditions;
  throw refuse("query", BULK[verb].problem, BULK[verb].hint);
}

/**
 * Conditions on history or logs: one instance or one kind, and a time range.
 *
 * @throws JobError `invalid_argument`
 */
export function readHistoryQuery(query: Query | undefined): HistoryQuery {
  const { ids, kinds, after, before, isDead: _, ...foreign } = readConditions(query);
  for (const [field, values] of [["uuids", ids], ["kinds", kinds]] as const) {
    if ((values?.length ?? 0) <= 1) continue;
    throw refuse(`query.${field}`, `found ${values?.length} values, wanted at most one here`);
  }
  const { tag, parentId, flowId } = query ?? {};
  for (const [name, value] of Object.entries({ ...foreign, tag, parentId, flowId })) {
    if (value === undefined) continue;
    throw refuse(
      `query.${snakeCase(name)}`,
      "history and logs have no such condition",
      "Use uuid, kind, after and before",
    );
  }
  return withoutUndefined({ instanceId: ids?.[0], kind: kinds?.[0], after, before });
}

/** Conditions on logs. @throws JobError `invalid_argument` naming the field */
export function readLogQuery(
  request:
    & Pick<LookupInstanceLogsRequest, "query" | "level">
    & Partial<Pick<LookupInstanceLogsRequest, "newestFirst" | "fromLine">>,
): LogQuery {
  const level = isSet(request.level) ? readChoice(request.level, LOG_LEVELS, "level") : undefined;
  return withoutUndefined({
    ...readHistoryQuery(request.query),
    level,
    newestFirst: request.newestFirst || undefined,
    fromLine: readSet(request.fromLine, readMs, "from_line"),
  });
}
