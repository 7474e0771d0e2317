import { orElseIf } from "../../core/or_else.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { kindsNeeding } from "../../core/job/tags.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type {
  Channel,
  HistoryEntry,
  Incident,
  JobInstance,
  Schedule,
} from "../../rpc/gen/job_pb.ts";
import { usageError } from "../parsing/args.ts";
import type { QueryInit } from "../parsing/query.ts";

const NAMED_KINDS_MAX = 10;

const NAMED_SCHEDULES_MAX = 5;
/** Fewest characters of a part of an id. */
export const PART_MIN = 4;

const PAGE_SIZE = 500;

/** Every entry of a paged response. @param limit most entries returned; null for all */
export async function* pages<T>(
  limit: number | null,
  fetch: (
    pageSize: number,
    pageToken: string | undefined,
  ) => Promise<{ readonly items: readonly T[]; readonly nextPageToken?: string | undefined }>,
): AsyncGenerator<T> {
  let left = limit ?? Infinity;
  let token: string | undefined;
  do {
    const page = await fetch(Math.min(PAGE_SIZE, left), token);
    for (const item of page.items.slice(0, left)) yield item;
    left -= page.items.length;
    // A server that returns the same token again would never end.
    token = page.nextPageToken === token ? undefined : page.nextPageToken;
  } while (token && left > 0);
}

/** Selects instances to look up, and their parts. */
export interface LookupOptions {
  /** All by default. */
  readonly isShown?: (instance: JobInstance) => boolean;
  /** True for instances without long arguments, results and errors. */
  readonly isBrief?: boolean;
}

/** Instances that match, newest first unless the query says otherwise. */
export function lookupInstances(
  client: JobClient,
  query: QueryInit,
  limit: number | null,
  { isShown = () => true, isBrief = false }: LookupOptions = {},
): AsyncGenerator<JobInstance> {
  const brief = isBrief ? { brief: true } : {};
  return pages(limit, async (pageSize, pageToken) => {
    const request = { query: { ...query, pageSize, pageToken }, ...brief };
    const answer = await client.lookupInstances(request);
    return { items: answer.instances.filter(isShown), nextPageToken: answer.nextPageToken };
  });
}

/**
 * The query for the kinds whose jobs need a tag, of the kinds that it names; the same without a
 * tag.
 *
 * The kinds are found here: an older daemon would ignore the condition and cancel too much.
 *
 * @throws JobError `not_found` if no such job needs it, `invalid_argument` if it cannot be a tag
 */
export async function withTag(
  client: JobClient,
  query: QueryInit,
  tag: string | undefined,
): Promise<QueryInit> {
  if (tag === undefined) return query;
  const { jobs } = await client.listRegisteredJobs({});
  const { kind, kinds = [], ...others } = query;
  const named = new Set(kind === undefined ? kinds : [kind]);
  const needing = kindsNeeding(tag, jobs);
  const both = named.size === 0 ? needing : needing.filter((one) => named.has(one));
  // An empty list would be no condition.
  if (both.length > 0) return { ...others, kinds: [...both] };
  throw new JobError("not_found", `Cannot find tag "${tag}": no job of these kinds needs it`, {
    hint: `Jobs that need it: ${needing.slice(0, NAMED_KINDS_MAX).join(", ")}`,
  });
}

/** The history of an instance, oldest first. */
export function lookupHistory(
  client: JobClient,
  uuid: string,
  limit: number | null,
): AsyncGenerator<HistoryEntry> {
  return pages(limit, async (pageSize, pageToken) => {
    const query = { uuid, pageSize, pageToken, oldestFirst: true };
    const answer = await client.lookupInstanceHistory({ query });
    return { items: answer.entries, nextPageToken: answer.nextPageToken };
  });
}

/** Open incidents, or also the last closed one of each subject; of one job, or of all subjects. */
export function listIncidents(
  client: JobClient,
  query: { readonly kind?: string | undefined; readonly withClosed: boolean },
): AsyncGenerator<Incident> {
  return pages(null, async (pageSize, pageToken) => {
    const answer = await client.listIncidents({ ...query, pageSize, pageToken });
    return { items: answer.incidents, nextPageToken: answer.nextPageToken };
  });
}

/** Meaning of an empty list of incidents on a daemon without channels. */
export const NO_CHANNELS = "has no channels: it keeps incidents only if jobs have expectations";

/** The channels of the daemon; undefined if the caller may not know them. */
export async function readChannels(client: JobClient): Promise<readonly Channel[] | undefined> {
  const codes = ["unimplemented", "permission_denied"] as const;
  return (await orElseIf(client.listChannels({}), codes, undefined))?.channels;
}

/** True if the daemon can notify anybody, or does not say. */
export async function hasChannels(client: JobClient): Promise<boolean> {
  return (await readChannels(client))?.length !== 0;
}

/** All items as a list. */
export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const collected = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Recurring schedules of the given kinds, kind by kind; of all kinds if the list is empty. */
export async function* listSchedules(
  client: JobClient,
  kinds: readonly string[],
  limit: number | null,
): AsyncGenerator<Schedule> {
  let left = limit ?? Infinity;
  for (const kind of kinds.length === 0 ? [undefined] : new Set(kinds)) {
    if (left <= 0) return;
    const found = pages(left, async (pageSize, pageToken) => {
      const answer = await client.listSchedules({ kind, pageSize, pageToken });
      return { items: answer.schedules, nextPageToken: answer.nextPageToken };
    });
    for await (const schedule of found) {
      left -= 1;
      yield schedule;
    }
  }
}

/**
 * The schedule with an id, or an unambiguous part of it.
 *
 * @throws JobError `not_found`, or `invalid_argument` if several match
 */
export async function findSchedule(client: JobClient, id: string): Promise<Schedule> {
  const all = await collect(listSchedules(client, [], null));
  const found = all.filter((schedule) => schedule.id.includes(id));
  const exact = found.find((schedule) => schedule.id === id);
  if (exact) return exact;
  const action = `Cannot find schedule "${makeVisible(id)}"`;
  if (found.length === 0) {
    throw new JobError("not_found", `${action}: no such schedule`, {
      hint: didYouMean(id, all.map((schedule) => schedule.id)) ??
        "List them with: jobctl list schedules",
    });
  }
  if (id.length < PART_MIN) {
    const hint = `Give ${PART_MIN} or more characters of it, such as ${found[0]!.id}`;
    throw usageError(`${action}: too short for a part of an id`, hint);
  }
  if (found.length === 1) return found[0]!;
  const lines = found.slice(0, NAMED_SCHEDULES_MAX)
    .map((schedule) => makeVisible(`${schedule.id}  ${schedule.kind}  ${schedule.cron}`));
  throw usageError(
    `${action}: ${found.length} ids have it`,
    ["Give more of the id of one of these:", ...lines].join("\n"),
  );
}

/**
 * Refuse kinds that do not exist: the daemon has no such job, and the store has no record of one.
 *
 * @throws JobError `not_found` for the first such kind, with a suggestion
 */
export async function assertKinds(client: JobClient, kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) {
    try {
      await client.getJob({ kind });
    } catch (error) {
      // go-job's server does not know the method.
      if (isJobError(error, "unimplemented")) return;
      if (!isJobError(error, "not_found") || !await hasTrace(client, kind)) throw error;
    }
  }
}

/** True if a kind without a job here is still known: disabled, removed, or on another node. */
async function hasTrace(client: JobClient, kind: string): Promise<boolean> {
  const { instances } = await client.lookupInstances({ query: { kind, pageSize: 1 } });
  if (instances.length > 0) return true;
  const { schedules } = await client.listSchedules({ kind, pageSize: 1 });
  if (schedules.length > 0) return true;
  const { nodes } = await client.listNodes({});
  if (nodes.some((node) => node.kinds.includes(kind))) return true;
  const { disabled } = await client.getStatus({});
  return disabled.some((one) => one.kind === kind);
}

/** A required field of a response. Without it, the server is at fault. */
export function present<T>(value: T | undefined, action: string): T {
  if (value !== undefined) return value;
  throw new JobError("internal", `${action}: the daemon's response is empty`, {
    hint: "Are the daemon and jobctl the same version? See jobctl get version, jobctl --version",
  });
}
