import { orElseIf } from "../../core/or_else.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { isUuid } from "../../core/instance.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { nearest } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { JobInstance } from "../../rpc/gen/job_pb.ts";
import { assertKinds, PART_MIN, present } from "./lookup.ts";
import { usageError } from "../parsing/args.ts";
import { statesQuery } from "../parsing/query.ts";
import { finalStates, msOf, stateOfName, type WireState } from "../io/wire.ts";

/** Word for the newest instance; `last:KIND` is the newest of a kind. */
const LAST = "last";
/** An id, or a part of one. */
const ID_SHAPE = /^[0-9a-f-]{1,36}$/;
/** A kind that needs no quotes in a shell or a list. */
const PLAIN_KIND = /^[\w.:@+/-]+$/;
/** Instances read at a time to find the last one. */
const LAST_PAGE = 20;
/** Most of these pages: notices may be newer than every other instance. */
const LAST_PAGES = 50;
const SCHEDULED = stateOfName("scheduled");
const IDS_HINT = "Ids are shown by: jobctl list instances";

/** Definition of the last instance: the newest of these. */
export interface Last {
  /** Any by default. */
  readonly states?: readonly WireState[];
  isWanted?(instance: JobInstance): boolean;
  /** The preferred ones, if any. */
  readonly rather?: Last;
}

const NEWEST: Last = {};
/** The last run: an instance that has started. */
const STARTED: Last = { isWanted: ({ attempts = 0 }) => attempts > 0 };
/** The last run that has ended. */
export const ENDED: Last = { states: finalStates() };

/** The run to follow: the last running one, or else the last that has started or is due. */
export function runToFollow(nowMs: number): Last {
  return {
    rather: { states: [stateOfName("processing")!] },
    isWanted: ({ attempts = 0, dueAt }) => attempts > 0 || (msOf(dueAt) ?? Infinity) <= nowMs,
  };
}

/** The subject of a word. */
export type Named =
  | { readonly type: "instance"; readonly instance: JobInstance }
  | { readonly type: "kind"; readonly kind: string };

/**
 * The instance that a word names: by its id, by an unambiguous part of it, or as the last one of a
 * kind or of all.
 *
 * @param kindCommand suggested if the word is a kind, which replaces KIND: `jobctl logs KIND`
 * @param options.isExact true if a part must be compared with every id, before something is changed
 * @param options.last definition of the last instance; by default the newest
 * @throws JobError `not_found`, or `invalid_argument` if several ids have the part
 */
export async function findInstance(
  client: JobClient,
  word: string,
  kindCommand: string,
  { isExact = false, last = NEWEST }: { readonly isExact?: boolean; readonly last?: Last } = {},
): Promise<JobInstance> {
  if (isLast(word)) {
    const kind = word.slice(LAST.length + 1);
    // "last:$KIND" with a variable that is not set would name the last run of any job.
    if (kind === "" && word !== LAST) {
      throw usageError(`Cannot read "${word}": no kind follows`, "Write last, or last:KIND");
    }
    return await lastInstance(client, kind, last);
  }
  if (isUuid(word.toLowerCase())) return await getInstance(client, word, isExact);
  const action = `Cannot find instance "${makeVisible(word)}"`;
  const commandOf = (kind: string) => `Did you mean: ${kindCommand.replace("KIND", () => kind)}`;
  // A kind such as "feed" looks like a part of an id.
  if (await isJob(client, word)) {
    throw new JobError("not_found", `${action}: it is the kind of a job`, {
      hint: commandOf(word),
    });
  }
  if (!ID_SHAPE.test(word.toLowerCase())) {
    const near = await nearestKind(client, word);
    const hint = near === null ? IDS_HINT : commandOf(shellWord(near));
    throw new JobError("not_found", `${action}: not an id`, { hint });
  }
  if (word.length >= PART_MIN) return await getInstance(client, word, isExact);
  const hint = `Give ${PART_MIN} or more characters of it`;
  throw usageError(`${action}: too short for a part of an id`, hint);
}

/** The whole id for a word, for a change; see {@link findInstance}. A whole id is not looked up. */
export async function resolveId(
  client: JobClient,
  word: string,
  kindCommand: string,
  options: { readonly last?: Last } = {},
): Promise<string> {
  const whole = word.toLowerCase();
  if (isUuid(whole)) return whole;
  return (await findInstance(client, word, kindCommand, { ...options, isExact: true })).uuid;
}

/**
 * The subject of a word: a kind, or else an instance as in {@link findInstance}.
 *
 * @throws JobError `not_found`, or `invalid_argument` if several ids have the part
 */
export async function findNamed(client: JobClient, word: string): Promise<Named> {
  if (isLast(word) || isUuid(word.toLowerCase())) {
    return { type: "instance", instance: await findInstance(client, word, "") };
  }
  if (await isJob(client, word)) return { type: "kind", kind: word };
  const isPart = ID_SHAPE.test(word.toLowerCase());
  if (isPart && word.length >= PART_MIN) {
    const instance = await orElseIf(getInstance(client, word), ["not_found"], null);
    if (instance !== null) return { type: "instance", instance };
  }
  // A removed job, or another node's, may have records.
  try {
    await assertKinds(client, [word]);
    return { type: "kind", kind: word };
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
    const what = !isPart
      ? "neither a kind nor an id"
      : word.length < PART_MIN
      ? `no kind, and a part of an id has ${PART_MIN} or more characters`
      : "no kind, and no id has it";
    const { hint } = error;
    throw new JobError("not_found", `Cannot find "${makeVisible(word)}": ${what}`, { hint });
  }
}

/**
 * The instance that a word names, or the last run of all or of the kind that it names.
 *
 * @param last definition of the last run
 * @throws JobError `not_found`, or `invalid_argument` if several ids have the part
 */
export async function findRun(
  client: JobClient,
  word: string,
  last: Last = STARTED,
): Promise<JobInstance> {
  if (isLast(word)) return await findInstance(client, word, "", { last });
  const named = await findNamed(client, word);
  if (named.type === "instance") return named.instance;
  return await lastInstance(client, named.kind, last);
}

/** True for `last` and `last:KIND`. */
export function isLast(word: string): boolean {
  return word === LAST || word.startsWith(`${LAST}:`);
}

async function getInstance(
  client: JobClient,
  word: string,
  isExact = false,
): Promise<JobInstance> {
  const exact = isExact ? { exact: true } : {};
  const { instance } = await client.getInstance({ uuid: word.toLowerCase(), ...exact });
  return present(instance, `Cannot get instance "${makeVisible(word)}"`);
}

/**
 * The newest instance of a kind, or of all but notices.
 *
 * @param kind empty for all
 * @throws JobError `not_found`
 */
async function lastInstance(client: JobClient, kind: string, last: Last): Promise<JobInstance> {
  if (kind !== "") await assertKinds(client, [kind]);
  for (const choice of [...(last.rather === undefined ? [] : [last.rather]), last]) {
    const found = await newestInstance(client, kind, choice);
    if (found !== null) return await withBlock(client, found);
  }
  const whose = kind === "" ? "" : ` of job "${makeVisible(kind)}"`;
  const problem = last === ENDED ? "none has ended" : "there is none";
  throw new JobError("not_found", `Cannot find the last run${whose}: ${problem}`, {
    hint: kind === ""
      ? "Run a job with: jobctl run KIND"
      : `Run it with: jobctl run ${makeVisible(shellWord(kind))}`,
  });
}

async function newestInstance(
  client: JobClient,
  kind: string,
  { states = [], isWanted = () => true }: Last,
): Promise<JobInstance | null> {
  let pageToken: string | undefined;
  for (let page = 0; page < LAST_PAGES; page++) {
    const conditions = { ...(kind === "" ? {} : { kind }), ...statesQuery(states) };
    const query = { ...conditions, pageSize: LAST_PAGE, pageToken };
    const { instances, nextPageToken } = await client.lookupInstances({ query });
    const found = instances.find((instance) =>
      isWanted(instance) && (kind !== "" || !instance.kind.startsWith(NOTICE_KINDS))
    );
    if (found) return found;
    if (!nextPageToken || nextPageToken === pageToken) break;
    pageToken = nextPageToken;
  }
  return null;
}

/** A listed instance with the limit that blocks it, which lists omit. */
async function withBlock(client: JobClient, found: JobInstance): Promise<JobInstance> {
  if (found.state !== SCHEDULED) return found;
  const { instance = found } = await client.getInstance({ uuid: found.uuid });
  return instance;
}

/** True if a word is the kind of a job. */
async function isJob(client: JobClient, word: string): Promise<boolean> {
  if (!PLAIN_KIND.test(word)) return false;
  try {
    return (await client.getJob({ kind: word })).job !== undefined;
  } catch (error) {
    // An older server lacks the method, and the caller may not see this job.
    if (!isJobError(error) || ["unavailable", "timeout"].includes(error.code)) throw error;
    return false;
  }
}

/** The kind that a word most likely misspells; null without a close one. */
async function nearestKind(client: JobClient, word: string): Promise<string | null> {
  const { jobs } = await client.listRegisteredJobs({});
  return nearest(word, jobs.map(({ kind }) => kind));
}
