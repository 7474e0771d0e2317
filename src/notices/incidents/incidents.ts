import { JobError } from "../../core/errors.ts";
import { includesKind } from "../../core/job/job_scope.ts";
import type { Incident } from "../../core/notices/incident.ts";
import type { NoticeSubject } from "../../core/notices/notice.ts";
import { closeIncident, memoKeyOf, readSubject } from "../../core/notices/subject_state.ts";
import type { Clock } from "../../platform/clock.ts";
import { JOB_MEMO, type Memo, type Page, type PageRequest, type Store } from "../../store/store.ts";
import { deliveryKindOf } from "../context/notice_kinds.ts";
import { readMemo, tryPutMemo } from "../context/memos.ts";

/**
 * Starts of the keys of memos with incidents, in list order. Failed channels are among the jobs, as
 * kinds of deliveries.
 */
const PREFIXES = [JOB_MEMO, "node:", "daemon:", "store:", "channel:"] as const;
/** Memos read in one turn of the event loop, so that no schedule waits for a long list. */
const BATCH = 100;
/** Most tries of an acknowledgment after others have changed the memo. */
const TRIES_MAX = 20;
/** Phrases in errors for an acknowledgment, its revocation, and a close. */
const [ACKNOWLEDGE, UNDO, CLOSE] = [
  "acknowledge",
  "take back the acknowledgment of",
  "close the incident of",
] as const;

/** Selects incidents. */
export interface IncidentQuery {
  /** Only of this job. */
  readonly kind?: string;
  /** Only of jobs whose kinds match one of these patterns. */
  readonly jobs?: readonly string[];
  /** True to include the last closed incident of each subject. */
  readonly withClosed?: boolean;
}

/** Author of an acknowledgment, and its options. */
export interface AcknowledgeOptions {
  /** The caller's name. */
  readonly by: string;
  /** The expected id of the incident: another one is refused. */
  readonly id?: string;
  /** True to revoke the acknowledgment, by any author. */
  readonly isUndo?: boolean;
  /** True to close it instead, without a notice. */
  readonly isClose?: boolean;
}

/** An incident after an acknowledgment. */
export interface Acknowledgment {
  readonly incident: Incident;
  /** False if it had been acknowledged before, which stays, or if there was nothing to revoke. */
  readonly isChanged: boolean;
}

/** The parts of a store that have incidents and silences. */
export type MemoStore = Pick<Store, "listMemos" | "putMemo">;

/** The incidents of a store, which are parts of memos. */
export class Incidents {
  readonly #store: MemoStore;
  readonly #clock: Clock;

  constructor({ store, clock }: { readonly store: MemoStore; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Incidents by subject: jobs, nodes, the daemon, the store, channels. A page token is the key of
   * the last memo shown.
   *
   * @throws JobError `invalid_argument` for an unreadable token
   */
  async list(query: IncidentQuery, { limit, token }: PageRequest): Promise<Page<Incident>> {
    const { kind, jobs } = query;
    if (kind !== undefined) {
      const found = await readMemo(JOB_MEMO + kind, { store: this.#store });
      const incident = found && incidentOf(found);
      const items = incident && isWanted(incident, query) ? [incident] : [];
      return { items, nextToken: null };
    }
    const prefixes = jobs === undefined ? PREFIXES : PREFIXES.slice(0, 1);
    const first = token === undefined ? 0 : prefixes.findIndex((each) => token.startsWith(each));
    if (first < 0) throw unreadableToken();
    const items: Incident[] = [];
    let lastKey = "";
    let after = token ?? null;
    for (const prefix of prefixes.slice(first)) {
      for await (const memo of this.#memosOf(prefix, after)) {
        // Most incidents have ended, and reading them takes the most time.
        if (query.withClosed !== true && !memo.data.includes('"closedAt":null')) continue;
        const incident = incidentOf(memo);
        if (incident === null || !isWanted(incident, query)) continue;
        // One more was found, so there is a further page.
        if (items.length === limit) return { items, nextToken: lastKey };
        items.push(incident);
        lastKey = memo.key;
      }
      after = null;
    }
    return { items, nextToken: null };
  }

  /**
   * Acknowledge the open incident of a subject: there are no reminders, unless the acknowledgment
   * is revoked. Or close it: its subject is as if it had never had a problem.
   *
   * @throws JobError `not_found` without one, `conflict` if it does not have this id
   */
  async acknowledge(
    subject: NoticeSubject,
    { by, id, isUndo = false, isClose = false }: AcknowledgeOptions,
  ): Promise<Acknowledgment> {
    const verb = isClose ? CLOSE : isUndo ? UNDO : ACKNOWLEDGE;
    const title = `${verb} "${memoKeyOf(subject)}"`;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const open = await this.#openOf(subject);
      if (open.length === 0) throw noIncident(title);
      const found = open.find((one) => id === undefined || one.incident.id === id);
      if (found === undefined) throw otherIncident(title, id!, open[0]!.incident.id);
      const { memo, incident } = found;
      const isDone = (incident.acknowledgedAt === null) === isUndo;
      if (!isClose && isDone) return { incident, isChanged: false };
      const at = this.#clock.now();
      const before = { ...readSubject(memo.data), incident };
      const known = {
        ...incident,
        acknowledgedBy: isUndo ? null : by,
        acknowledgedAt: isUndo ? null : at.wallMs,
      };
      const after = isClose
        ? closeIncident(before, { at: at.wallMs, reason: `closed by ${by}` })
        : { ...JSON.parse(memo.data), incident: known };
      const { key, version } = memo;
      const watch = isClose ? "failures" : memo.watch;
      const isWritten = await tryPutMemo({
        at,
        key,
        expectedVersion: version,
        value: { watch, data: JSON.stringify(after) },
        isProcessed: false,
        instances: [],
      }, { store: this.#store });
      if (isWritten) return { incident: after.incident, isChanged: true };
    }
    throw new JobError("conflict", `Cannot ${title}: others keep changing it`, {
      hint: "Try again",
    });
  }

  async *#memosOf(prefix: string, after: string | null): AsyncGenerator<Memo> {
    let last = after;
    for (;;) {
      const memos = await this.#store.listMemos({ prefix, after: last, limit: BATCH });
      yield* memos;
      if (memos.length < BATCH) return;
      last = memos.at(-1)!.key;
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
  }

  /** The open incidents of a subject, with their memos: one, or none. */
  async #openOf(
    subject: NoticeSubject,
  ): Promise<readonly { readonly memo: Memo; readonly incident: Incident }[]> {
    const open = [];
    for (const key of keysOf(subject)) {
      const memo = await readMemo(key, { store: this.#store });
      const incident = memo && incidentOf(memo);
      const isIts = incident?.subject.type === subject.type;
      if (memo && incident && isIts && incident.closedAt === null) open.push({ memo, incident });
    }
    return open;
  }
}

/** Keys of the memos of a subject. A channel's failed deliveries are news of a job. */
function keysOf(subject: NoticeSubject): readonly string[] {
  const key = memoKeyOf(subject);
  return subject.type === "channel" ? [key, JOB_MEMO + deliveryKindOf(subject.name)] : [key];
}

/** The incident in a memo; null without one, or if its data have another form. */
function incidentOf({ data }: Memo): Incident | null {
  // Most jobs have no incident: their memos need not be parsed.
  if (!data.includes('"openedAt"')) return null;
  try {
    return (JSON.parse(data) as { readonly incident?: Incident | null }).incident ?? null;
  } catch {
    return null;
  }
}

function isWanted(
  { subject: { type, name }, closedAt }: Incident,
  { kind, jobs, withClosed }: IncidentQuery,
): boolean {
  if (closedAt !== null && withClosed !== true) return false;
  if (kind === undefined && jobs === undefined) return true;
  return type === "job" && (jobs === undefined || includesKind(jobs, name));
}

function unreadableToken(): JobError {
  return new JobError(
    "invalid_argument",
    "Cannot read the page token: it belongs to another list",
    {
      path: "page_token",
      hint: "Start again without a page token",
    },
  );
}

function noIncident(what: string): JobError {
  return new JobError("not_found", `Cannot ${what}: it has no open incident`, {
    path: "name",
    hint: "List open incidents with: jobctl incidents",
  });
}

function otherIncident(what: string, wanted: string, found: string): JobError {
  const problem = `its open incident is ${found}, not ${wanted}`;
  return new JobError("conflict", `Cannot ${what}: ${problem}`, {
    path: "id",
    hint: "That incident is over. See the new one with: jobctl incidents",
  });
}
