import { isJobError, JobError } from "../core/errors.ts";
import { isUuid } from "../core/instance.ts";
import { usageError } from "./parsing/args.ts";
import type { JobInstance, Schedule } from "../rpc/gen/job_pb.ts";
import type { QueryInit } from "./parsing/query.ts";
import type { JobClient } from "../rpc/client/client.ts";
import { makeVisible } from "../core/text/safe_text.ts";

/** An id, or enough of its beginning for the daemon to look for it. */
const ID_SHAPE = /^[0-9a-f-]{4,36}$/;
/** A kind that a shell and a list of kinds take as it is. */
const PLAIN_KIND = /^[\w.:@+/-]+$/;

/** Entries asked for at once. */
const PAGE_SIZE = 500;

/** One page of an answer. */
export interface FetchedPage<T> {
  readonly items: readonly T[];
  readonly nextPageToken?: string | undefined;
}

/**
 * Every entry of a paged answer, page by page.
 *
 * @param limit how many at most; null for all
 */
export async function* pages<T>(
  limit: number | null,
  fetch: (pageSize: number, pageToken: string | undefined) => Promise<FetchedPage<T>>,
): AsyncGenerator<T> {
  let left = limit ?? Infinity;
  let token: string | undefined;
  do {
    const page = await fetch(Math.min(PAGE_SIZE, left), token);
    for (const item of page.items.slice(0, left)) yield item;
    left -= page.items.length;
    // A server that answers its own token again would never end.
    token = page.nextPageToken === token ? undefined : page.nextPageToken;
  } while (token && left > 0);
}

/** Instances that match, newest first. */
export function lookupInstances(
  client: JobClient,
  query: QueryInit,
  limit: number | null,
): AsyncGenerator<JobInstance> {
  return pages(limit, async (pageSize, pageToken) => {
    const answer = await client.lookupInstances({ query: { ...query, pageSize, pageToken } });
    return { items: answer.instances, nextPageToken: answer.nextPageToken };
  });
}

/** Recurring schedules of some kinds, kind by kind; of all when there is none. */
export async function* listSchedulesOf(
  client: JobClient,
  kinds: readonly string[],
  limit: number | null,
): AsyncGenerator<Schedule> {
  let left = limit ?? Infinity;
  for (const kind of kinds.length === 0 ? [undefined] : new Set(kinds)) {
    if (left <= 0) return;
    for await (const schedule of listSchedules(client, kind, limit === null ? null : left)) {
      left -= 1;
      yield schedule;
    }
  }
}

/** Recurring schedules, of one kind when it is given. */
export function listSchedules(
  client: JobClient,
  kind: string | undefined,
  limit: number | null,
): AsyncGenerator<Schedule> {
  return pages(limit, async (pageSize, pageToken) => {
    const answer = await client.listSchedules({ kind, pageSize, pageToken });
    return { items: answer.schedules, nextPageToken: answer.nextPageToken };
  });
}

/**
 * The instance that an id or a unique beginning of one names.
 *
 * @param kindCommand suggested, with the kind after it, when `id` is a kind: such as `jobctl logs --kind`
 * @throws JobError `not_found`, or `invalid_argument` for what is no id
 */
export async function findInstance(
  client: JobClient,
  id: string,
  kindCommand: string,
): Promise<JobInstance> {
  const uuid = id.toLowerCase();
  if (!ID_SHAPE.test(uuid)) {
    const found = "not an id, nor the first 4 or more characters of one";
    throw usageError(
      `Cannot find instance "${makeVisible(id)}": ${found}`,
      await kindHint(client, id, kindCommand) ?? "Ids are shown by: jobctl list instances",
    );
  }
  try {
    const { instance } = await client.getInstance({ uuid });
    return present(instance, `Cannot get instance "${makeVisible(id)}"`);
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
    // A kind such as "feed" reads as the beginning of an id.
    const hint = isUuid(uuid) ? null : await kindHint(client, id, kindCommand);
    if (hint === null) throw error;
    throw new JobError(error.code, error.message, { hint, cause: error });
  }
}

/** What was probably meant by a kind in place of an id; null when there is no such kind. */
async function kindHint(
  client: JobClient,
  kind: string,
  kindCommand: string,
): Promise<string | null> {
  if (!PLAIN_KIND.test(kind)) return null;
  try {
    await client.getJob({ kind });
    return `Did you mean: ${kindCommand} ${kind}`;
  } catch (error) {
    // An older server does not know the method, and this is only for the hint.
    const isAnswer = isJobError(error) && !["unavailable", "timeout"].includes(error.code);
    if (isAnswer) return null;
    throw error;
  }
}

/** The whole id for a beginning of one, as {@link findInstance}; a whole one is taken as it is. */
export async function resolveId(
  client: JobClient,
  id: string,
  kindCommand: string,
): Promise<string> {
  const whole = id.toLowerCase();
  return isUuid(whole) ? whole : (await findInstance(client, id, kindCommand)).uuid;
}

/**
 * The schedule that an id or a unique beginning of one names.
 *
 * @throws JobError `not_found`, or `invalid_argument` when several begin so
 */
export async function findSchedule(client: JobClient, id: string): Promise<Schedule> {
  const found: Schedule[] = [];
  for await (const schedule of listSchedules(client, undefined, null)) {
    if (schedule.id === id) return schedule;
    if (schedule.id.startsWith(id)) found.push(schedule);
  }
  const [first, ...others] = found;
  const shown = makeVisible(id);
  if (!first) {
    throw new JobError("not_found", `Cannot find schedule "${shown}": no such schedule`, {
      hint: 'See "jobctl list schedules"',
    });
  }
  if (others.length === 0) return first;
  throw new JobError(
    "invalid_argument",
    `Cannot find schedule "${shown}": it matches ${found.length} ids`,
    { hint: `Give more of it: ${found.slice(0, 3).map((schedule) => schedule.id).join(", ")}` },
  );
}

/**
 * Refuse kinds that do not exist: the daemon has no such job, and the store has no record of one.
 *
 * @throws JobError `not_found` for the first such kind; suggests what was probably meant
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

/** True if a kind that is not a job of this daemon is still known: it is disabled, removed, or another node's. */
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

/** What an answer must hold; its absence is the server's fault. */
export function present<T>(value: T | undefined, action: string): T {
  if (value !== undefined) return value;
  throw new JobError("internal", `${action}: the daemon's response is empty`, {
    hint:
      "The versions of the daemon and of jobctl may differ: compare jobctl get version and jobctl --version",
  });
}
