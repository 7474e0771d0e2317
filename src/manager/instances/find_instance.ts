import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import { stateWord } from "../../core/state.ts";
import { formatRelative } from "../../core/time/duration.ts";
import { type Clock, inTime } from "../../platform/clock.ts";
import { BATCH_MAX, type InstanceQuery, type StoreReads } from "../../store/store.ts";
import type { FindOptions } from "../api/instances.ts";

/** A part of a UUID. */
const PART = /^[0-9a-f-]{4,35}$/;
/** A part that can only be the beginning: no other group of a UUID has eight digits and a dash. */
const BEGINNING = /^[0-9a-f]{8}-/;
/** Most instances named in the error for an ambiguous part. */
const NAMED_MAX = 5;
/** Most ids that are looked up for one part. */
const FOUND_MAX = 100;
/** Characters of a part that hardly two of a million ids have. */
const LONG_PART = 8;
/** Ids that a quick search compares at least. */
const RECENT_IDS = 100_000;
/** Time limit for comparing ids with a part: less than a client waits for an answer. */
const SEARCH_MS = 3_000;
/** Time for a store to notice that it has to stop. */
const SLICE_MS = 500;
/** Longest kind in an error about ids. */
const KIND_CHARS_MAX = 40;

/** Scope of the search for an instance. */
export interface InstancePlace extends FindOptions {
  readonly store: Pick<StoreReads, "get" | "findIds" | "list">;
  readonly clock: Clock;
}

/**
 * The instance with a UUID or an unambiguous part of it.
 *
 * @throws JobError `not_found`; `invalid_argument` if several ids have the part, or it is not text
 */
export async function findInstance(
  id: string,
  place: InstancePlace,
): Promise<Instance> {
  const { store, clock, kinds } = place;
  const wanted = readId(id).toLowerCase();
  if (isUuid(wanted)) {
    const instance = await store.get(wanted);
    if (instance && (kinds?.includes(instance.kind) ?? true)) return instance;
  } else if (PART.test(wanted)) {
    const { items, isComplete } = await instancesWith(wanted, place);
    const [first, ...others] = items;
    if (others.length > 0) throw ambiguous(id, items, clock.now().wallMs);
    if (!isComplete) throw tooMany(id, items, clock.now().wallMs);
    if (first) return first;
  }
  throw noSuchInstance(id, "find");
}

/** Results of a search. */
interface Found<T> {
  readonly items: readonly T[];
  /** False if there were too many ids to compare. */
  readonly isComplete: boolean;
}

/** The instances whose ids have a part; only the newest ones if there are many. */
async function instancesWith(part: string, place: InstancePlace): Promise<Found<Instance>> {
  const { store, kinds } = place;
  const ids = BEGINNING.test(part) ? null : await idsWith(part, place);
  const isComplete = ids?.isComplete ?? true;
  if (ids?.items.length === 0) return { items: [], isComplete };
  const query: InstanceQuery = {
    ...(ids === null ? { idPrefix: part } : { ids: ids.items }),
    ...(kinds === undefined ? {} : { kinds }),
  };
  const { items, nextToken } = await store.list(query, { limit: NAMED_MAX });
  // A page of large items may have one item without being the last.
  if (items.length !== 1 || nextToken === null) return { items, isComplete };
  const more = await store.list(query, { limit: NAMED_MAX, token: nextToken });
  return { items: [...items, ...more.items], isComplete };
}

/** Some ids that have a part. */
async function idsWith(
  part: string,
  { store, clock, kinds, isQuick = false }: InstancePlace,
): Promise<Found<string>> {
  const late = new AbortController();
  const timer = clock.timer(SEARCH_MS, () => late.abort());
  const search = store.findIds({
    part,
    // Other kinds may have many more.
    limit: kinds === undefined ? FOUND_MAX : BATCH_MAX,
    ...(isQuick && part.length >= LONG_PART ? { enough: RECENT_IDS } : {}),
    signal: late.signal,
  });
  try {
    const items = await inTime(search, SEARCH_MS + SLICE_MS, { clock, late: () => [] });
    return { items, isComplete: !late.signal.aborted };
  } finally {
    timer.cancel();
  }
}

/** The error about an unknown instance. */
export function noSuchInstance(id: string, action: string, list = "instances"): JobError {
  return new JobError("not_found", `Cannot ${action} instance "${id}": no such instance`, {
    options: ["id"],
    hint: `List them with: jobctl list ${list}`,
  });
}

// Untyped code may pass the instance instead of its id, or nothing.
function readId(id: unknown): string {
  if (typeof id === "string") return id;
  throw new JobError(
    "invalid_argument",
    `Cannot find an instance by ${quoteValue(id)}: not an id`,
    { options: ["id"], hint: "Give the id of the instance as text" },
  );
}

function ambiguous(id: string, items: readonly Instance[], nowMs: number): JobError {
  return new JobError("invalid_argument", `Cannot find instance "${id}": several ids have it`, {
    options: ["id"],
    hint: ["Give more of the id of one of these:", ...linesOf(items, nowMs)].join("\n"),
  });
}

/** The error about a part that was not compared with every id. @param items found so far */
function tooMany(id: string, items: readonly Instance[], nowMs: number): JobError {
  const lines = linesOf(items, nowMs);
  const [problem, hint] = lines.length === 0
    ? [
      "no id was found with it",
      "There are too many: give the whole id, or its beginning with the first dash",
    ]
    : ["not all ids were compared", `Give the whole id, if it is this one:\n${lines[0]}`];
  const message = `Cannot find instance "${id}": ${problem} in ${SEARCH_MS} ms`;
  return new JobError("timeout", message, { options: ["id"], hint });
}

function linesOf(items: readonly Instance[], nowMs: number): string[] {
  return items.map((item) => {
    const kind = item.kind.slice(0, KIND_CHARS_MAX);
    return `${item.id}  ${kind}  ${stateWord(item.state)}  ${
      formatRelative(item.createdAt, nowMs)
    }`;
  });
}
