import { isJobError } from "../../core/errors.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { formatRelative } from "../../core/time/duration.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { Incident, Job, JobInstance } from "../../rpc/gen/job_pb.ts";
import { listIncidents, lookupInstances, pages } from "../lookup/lookup.ts";
import type { DaemonOffer } from "../parsing/options.ts";
import { msOf, timestampOf, unfinishedStates } from "../io/wire.ts";
import { stateCell } from "../views/state_words.ts";
import type { OfferedName } from "./complete_line.ts";

/** Most names that a shell gets. */
export const NAMES_MAX = 200;
/** Most instances that are read, since arguments and results can be long. */
const INSTANCES_MAX = 100;
/** Allowed difference between the time of an instance and the time in its id. */
const SLACK_MS = 10_000;
/** Shortest prefix that the daemon looks up. */
const PREFIX_MIN = 4;
/** Digits of the time in an id, which are hexadecimal. */
const TIME_DIGITS = 12;

/** Digits of a session's id, as in jobctl sessions. */
const SESSION_DIGITS = 12;

/** A shell's request. */
export interface LiveQuestion {
  readonly offer: DaemonOffer;
  readonly prefix: string;
  /** The kind of the job earlier in the line; may be empty. */
  readonly kind: string;
  /** The parameter by its name, or the argument by its position; empty for other questions. */
  readonly which: string;
  /** Options of the verb on the line, with their dashes: a parameter has another name. */
  readonly taken: ReadonlySet<string>;
  readonly nowMs: number;
}

/** Ask the daemon for names. Some may not match the prefix, which only saves work. */
export async function* liveNames(
  client: JobClient,
  question: LiveQuestion,
): AsyncGenerator<OfferedName> {
  switch (question.offer) {
    case "kind":
      return yield* kinds(client, question.prefix);
    case "kinds":
      // A comma within a kind of a list is written "\,".
      for await (const { name, describe } of kinds(client, question.prefix.replaceAll("\\", ""))) {
        yield { name: name.replaceAll(",", "\\,"), describe };
      }
      return;
    case "run":
      yield* kinds(client, question.prefix);
      return yield* instances(client, question, {});
    case "instance":
      return yield* instances(client, question, {});
    case "unfinished":
      return yield* instances(client, question, { states: unfinishedStates() });
    case "dead":
      return yield* instances(client, question, { dead: true });
    case "schedule":
      return yield* schedules(client, question.kind);
    case "node":
      for (const { id, state, host } of (await client.listNodes({})).nodes) {
        yield { name: id, describe: host === id ? state : `${state}, on ${host}` };
      }
      return;
    case "channel":
      for (const { name, to, on } of (await client.listChannels({})).channels) {
        yield { name, describe: `${to}: ${on.join(", ")}` };
      }
      return;
    case "session":
      for (const { id, name, role, address } of (await client.listSessions({})).sessions) {
        yield { name: id.slice(0, SESSION_DIGITS), describe: `${name}, ${role}, from ${address}` };
      }
      return;
    case "incident":
      return yield* incidents(client, question.nowMs);
    case "parameter":
    case "value":
    case "argument":
      return yield* parameters(client, question);
  }
}

async function* kinds(client: JobClient, kindPrefix: string): AsyncGenerator<OfferedName> {
  const { jobs } = await client.listRegisteredJobs({ kindPrefix, limit: NAMES_MAX });
  for (const { kind, description, cronSpecs } of jobs) {
    yield { name: kind, describe: description || cronSpecs.join(", ") };
  }
}

/** The job of a kind or, as after retry, of a run. */
async function jobOf(client: JobClient, word: string): Promise<Job | undefined> {
  try {
    return (await client.getJob({ kind: word })).job;
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
  }
  const { findInstance } = await import("../lookup/find_instance.ts");
  const { kind } = await findInstance(client, word, "");
  return (await client.getJob({ kind })).job;
}

async function* parameters(
  client: JobClient,
  { offer, kind, which, taken }: LiveQuestion,
): AsyncGenerator<OfferedName> {
  const job = await jobOf(client, kind);
  const { signatureOf } = await import("../views/signature_lines.ts");
  const signature = job === undefined ? null : signatureOf(job);
  if (signature === null) return;
  const { parameterOptions, valuesAt, valuesOf } = await import("./parameter_names.ts");
  if (offer === "parameter") yield* parameterOptions(signature, taken);
  if (offer === "value") yield* valuesOf(which, signature);
  if (offer === "argument") yield* valuesAt(Number(which), signature);
}

type Conditions = { readonly states?: ReturnType<typeof unfinishedStates>; readonly dead?: true };

async function* instances(
  client: JobClient,
  { prefix, nowMs }: LiveQuestion,
  conditions: Conditions,
): AsyncGenerator<OfferedName> {
  const typed = prefix.toLowerCase();
  if (!/^[0-9a-f-]*$/.test(typed)) return;
  // Clients may choose ids, whose digits are then not a time.
  const named = typed.length < PREFIX_MIN || "states" in conditions || "dead" in conditions
    ? null
    : client.getInstance({ uuid: typed }).catch(() => null);
  const query = { ...conditions, ...timesOf(typed) };
  const isShown = ({ kind }: JobInstance) => !kind.startsWith(NOTICE_KINDS);
  for await (const instance of lookupInstances(client, query, INSTANCES_MAX, { isShown })) {
    yield nameOf(instance, nowMs);
  }
  const found = (await named)?.instance;
  if (found !== undefined) yield nameOf(found, nowMs);
}

/** When instances were created whose ids begin like this. */
function timesOf(prefix: string) {
  const digits = prefix.replaceAll("-", "").slice(0, TIME_DIGITS);
  if (digits === "") return {};
  const [from, to] = ["0", "f"].map((digit) => parseInt(digits.padEnd(TIME_DIGITS, digit), 16));
  return {
    after: timestampOf(Math.max(0, from! - SLACK_MS)),
    before: timestampOf(Math.min(to! + SLACK_MS, Date.UTC(9999, 0))),
  };
}

function nameOf(instance: JobInstance, nowMs: number): OfferedName {
  const { uuid, kind } = instance;
  const createdMs = msOf(instance.createdAt);
  const when = createdMs === undefined ? "" : `, ${formatRelative(createdMs, nowMs)}`;
  return { name: uuid, describe: `${kind}, ${stateCell(instance).text}${when}` };
}

async function* schedules(client: JobClient, kind: string): AsyncGenerator<OfferedName> {
  const found = pages(null, async (pageSize, pageToken) => {
    const query = { kind: kind === "" ? undefined : kind, pageSize, pageToken };
    const answer = await client.listSchedules(query);
    return { items: answer.schedules, nextPageToken: answer.nextPageToken };
  });
  for await (const { id, kind: of, cron, status } of found) {
    yield { name: id, describe: `${of}, ${cron}${status === "active" ? "" : `, ${status}`}` };
  }
}

async function* incidents(client: JobClient, nowMs: number): AsyncGenerator<OfferedName> {
  const { subjectText } = await import("../views/notice_views.ts");
  for await (const incident of listIncidents(client, { withClosed: false })) {
    const { type, name, events } = incident;
    // Like "jobctl ack" finds them: there is one store, and one daemon.
    const isOne = type === "store" || type === "daemon";
    const subject = isOne && name === "" ? type : subjectText({ type, name });
    yield { name: subject, describe: `${events.join(", ")}${since(incident, nowMs)}` };
  }
}

function since({ openedAt }: Incident, nowMs: number): string {
  const openedMs = msOf(openedAt);
  return openedMs === undefined ? "" : `, since ${formatRelative(openedMs, nowMs)}`;
}
