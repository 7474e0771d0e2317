import { quoteValue } from "../../core/arguments/describe.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import { formatRelative } from "../../core/time/duration.ts";
import { type Clock, inTime } from "../../platform/clock.ts";
import { BATCH_MAX, type InstanceQuery, type StoreReads } from "../../store/store.ts";

/** A part of a UUID. */
const PART = /^[0-9a-f-]{4,35}$/;
/** A part that can only be the beginning: no other group of a UUID has eight digits and a dash. */
const BEGINNING = /^[0-9a-f]{8}-/;
/** Most instances named in the error for an ambiguous part. */
const NAMED_MAX = 5;
/** Ids of one part that are looked up. */
const FOUND_MAX = 100;
/** Characters of a part that hardly two of a million ids have. */
const LONG_PART = 8;
/** Ids that a quick search compares at least. */
const RECENT_IDS = 100_000;
/** How long ids are compared with a part: less than a client waits for an answer. */
const SEARCH_MS = 3_000;
/** Longest kind in such an error. */
const KIND_CHARS_MAX = 40;

/** How an instance is looked for. */
export interface FindOptions {
  /** Only instances of these kinds; undefined for all. */
  readonly kinds?: readonly string[] | undefined;
  /**
   * True if a long part need not be compared with every id once a recent instance has it: that
   * another one has it too is unlikely.
   */
  readonly isQuick?: boolean;
}

/** Where an instance is looked for. */
export interface InstancePlace extends FindOptions {
  readonly store: Pick<StoreReads, "get" | "findIds" | "list">;
  readonly clock: Clock;
}

/**
 * The instance of a UUID, or of a part of one that no other instance has.
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
    const [first, ...others] = await instancesWith(wanted, place);
    if (others.length > 0) throw ambiguous(id, [first!, ...others], clock.now().wallMs);
    if (first) return first;
  }
  throw noSuchInstance(id, "find");
}

/** The instances whose ids have a part; at most some of them, the newest first. */
async function instancesWith(
  part: string,
  place: InstancePlace,
): Promise<readonly Instance[]> {
  const { store, kinds } = place;
  const query: InstanceQuery = {
    ...(BEGINNING.test(part) ? { idPrefix: part } : { ids: await idsWith(part, place) }),
    ...(kinds === undefined ? {} : { kinds }),
  };
  if (query.ids?.length === 0) return [];
  const { items, nextToken } = await store.list(query, { limit: NAMED_MAX });
  // A page of large items may have one item without being the last.
  if (items.length !== 1 || nextToken === null) return items;
  const more = await store.list(query, { limit: NAMED_MAX, token: nextToken });
  return [...items, ...more.items];
}

/** Some ids that have a part. @throws JobError `timeout` if there are too many to compare */
async function idsWith(
  part: string,
  { store, clock, kinds, isQuick = false }: InstancePlace,
): Promise<readonly string[]> {
  const search = store.findIds({
    part,
    // Of other kinds there may be many more.
    limit: kinds === undefined ? FOUND_MAX : BATCH_MAX,
    ...(isQuick && part.length >= LONG_PART ? { enough: RECENT_IDS } : {}),
  });
  const ids = await inTime(search, SEARCH_MS, { clock, late: () => null });
  if (ids !== null) return ids;
  const message = `Cannot find instance "${part}": no id was found with it in ${SEARCH_MS} ms`;
  throw new JobError("timeout", message, {
    options: ["id"],
    hint: "There are too many: give the whole id, or its beginning with the first dash",
  });
}

/**
 * The error about an unknown instance.
 *
 * @param list what to list in the hint
 */
export function noSuchInstance(id: string, action: string, list = "instances"): JobError {
  return new JobError("not_found", `Cannot ${action} instance "${id}": no such instance`, {
    options: ["id"],
    hint: `List them with: jobctl list ${list}`,
  });
}

// Code without types may pass the instance instead of its id, or nothing.
function readId(id: unknown): string {
  if (typeof id === "string") return id;
  throw new JobError(
    "invalid_argument",
    `Cannot find an instance by ${quoteValue(id)}: not an id`,
    { options: ["id"], hint: "Give the id of the instance as text" },
  );
}

function ambiguous(id: string, items: readonly Instance[], nowMs: number): JobError {
  const lines = items.map((item) => {
    const state = snakeCase(item.state).replaceAll("_", " ");
    const kind = item.kind.slice(0, KIND_CHARS_MAX);
    return `${item.id}  ${kind}  ${state}  ${formatRelative(item.createdAt, nowMs)}`;
  });
  return new JobError("invalid_argument", `Cannot find instance "${id}": several ids have it`, {
    options: ["id"],
    hint: ["Give more of the id of one of these:", ...lines].join("\n"),
  });
}
