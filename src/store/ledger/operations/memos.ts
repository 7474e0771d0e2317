import { JobError } from "../../../core/errors.ts";
import type { Instance } from "../../../core/instance.ts";
import type { TickFate } from "../../../core/time/schedule.ts";
import { idOfText } from "../../../platform/text_ids.ts";
import {
  type AddNews,
  JOB_MEMO,
  type Memo,
  MEMO_CHARS_MAX,
  type MemoWatch,
  type NewInstance,
  type News,
  NEWS_MAX,
  newsInstance,
  type PutMemo,
} from "../../store.ts";
import {
  checkBatch,
  checkLimit,
  checkMemoKey,
  checkName,
  checkNewInstance,
  checkTime,
  NAME_LENGTH_MAX,
} from "../checks.ts";
import { memoChangedError } from "../refusals.ts";
import { acceptInstance } from "../accept_instance.ts";
import { storable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { MemoRange } from "../tables/tables.ts";
import { insertInstance } from "./enqueue.ts";

/** Most characters of the detail of news. */
const DETAIL_CHARS_MAX = 2_000;

/** Memos whose keys begin with a prefix. */
export function listMemos(state: LedgerState, range: MemoRange): readonly Memo[] {
  checkLimit(range.limit, "list memos");
  return state.tables.memos.list(range);
}

/** Write or delete a memo, and apply its effects. */
export function putMemo(state: LedgerState, moment: Moment, request: PutMemo): Memo | null {
  checkPutMemo(request);
  const { key, expectedVersion, value, isProcessed, instances, droppedNews = 0 } = request;
  const before = state.tables.memos.get(key);
  if ((before?.version ?? null) !== expectedVersion) throw memoChangedError(key);
  const dropped = before?.droppedNews ?? 0;
  let after: Memo | null = null;
  if (value) {
    after = {
      key,
      version: (before?.version ?? 0) + 1,
      watch: value.watch,
      data: storable(value.data),
      news: isProcessed ? [] : before?.news ?? [],
      droppedNews: isProcessed ? Math.max(0, dropped - droppedNews) : dropped,
    };
    state.saveMemo(after);
  } else if (before) state.removeMemo(key);
  for (const instance of instances) accept(state, moment, instance);
  return after;
}

/** @throws JobError `invalid_argument` for a memo or an instance that cannot be stored */
export function checkPutMemo({ key, value, instances }: PutMemo): void {
  checkMemoKey(key);
  checkBatch(instances.length, "enqueue");
  for (const instance of instances) checkNewInstance(instance);
  if (!value || value.data.length <= MEMO_CHARS_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot write memo "${key}": it has ${value.data.length} characters, at most ${MEMO_CHARS_MAX} are allowed`,
    { path: "data" },
  );
}

/** Add news to a memo. @returns number of new ones */
export function addNews(state: LedgerState, moment: Moment, request: AddNews): number {
  checkAddNews(request);
  return addTo(state, moment, request);
}

/** @throws JobError `invalid_argument` for news that cannot be stored */
export function checkAddNews({ key, news, noticeId }: AddNews): void {
  checkMemoKey(key);
  checkBatch(news.length, "add");
  for (const one of news) {
    checkName(one.id, "id", NAME_LENGTH_MAX);
    checkTime(one.at, "at");
  }
  checkName(noticeId, "noticeId", NAME_LENGTH_MAX);
}

/** Delete memos whose keys begin with a prefix, by key. @returns their number */
export function removeMemos(
  state: LedgerState,
  _moment: Moment,
  { prefix, limit }: { readonly prefix: string; readonly limit: number },
): number {
  checkLimit(limit, "delete memos");
  const found = state.tables.memos.list({ prefix, after: null, limit });
  for (const { key } of found) state.removeMemo(key);
  return found.length;
}

/** Add the ends of watched instances to the memos of their jobs. */
export function addNewsOfEnds(
  state: LedgerState,
  moment: Moment,
  ended: readonly Instance[],
): void {
  for (const { id, kind, state: event, reason, settledAt } of ended) {
    addTo(state, moment, {
      key: JOB_MEMO + kind,
      news: [{ id, event, at: settledAt ?? moment.stamp, instanceId: id, detail: reason }],
      noticeId: newsIdOfEnd(id),
    });
  }
}

/** Note in the memo of its job that an ended instance wrote output. */
export function addNewsOfOutput(state: LedgerState, moment: Moment, instance: Instance): void {
  const { id, kind, settledAt } = instance;
  addTo(state, moment, {
    key: JOB_MEMO + kind,
    news: [{
      id: `output:${id}`,
      event: "output",
      at: settledAt ?? moment.stamp,
      instanceId: id,
      detail: null,
    }],
    // One end can cause two of these; only the first is accepted.
    noticeId: newsIdOfEnd(id),
  });
}

/** Add missed ticks to the memo of their job. */
export function addNewsOfMissed(
  state: LedgerState,
  moment: Moment,
  kind: string,
  fate: MissedTicks,
): void {
  if (state.watchOf(kind) === "never") return;
  const { id, detail, noticeId } = newsOfMissed(fate);
  addTo(state, moment, {
    key: JOB_MEMO + kind,
    news: [{ id, event: "missed", at: moment.wallMs, instanceId: null, detail }],
    noticeId,
  });
}

/** Missed ticks: one, or a range of them. */
export type MissedTicks = Pick<TickFate, "scheduleId" | "from" | "to" | "count">;

/** Missed ticks as news, and the id of the instance that processes them. */
export function newsOfMissed({ scheduleId, from, to, count }: MissedTicks) {
  const id = `missed:${scheduleId}:${from}`;
  const detail = JSON.stringify({ schedule: scheduleId, from, to, count });
  return { id, detail, noticeId: idOfText(id) };
}

/** News in the form that every store keeps. */
export function storableNews(news: News): News {
  const { id, event, at, instanceId, detail } = news;
  return {
    id,
    event: storable(event),
    at,
    instanceId: storable(instanceId),
    detail: detail === null ? null : storable(detail.slice(0, DETAIL_CHARS_MAX)),
  };
}

function addTo(
  state: LedgerState,
  moment: Moment,
  { key, news, noticeId }: Pick<AddNews, "key" | "news" | "noticeId">,
): number {
  const before = state.tables.memos.get(key);
  const waiting = before?.news ?? [];
  const known = new Set(waiting.map(({ id }) => id));
  const added: News[] = [];
  for (const one of news) {
    if (known.has(one.id)) continue;
    known.add(one.id);
    added.push(storableNews(one));
  }
  if (added.length === 0) return 0;
  const room = Math.max(0, NEWS_MAX - waiting.length);
  state.saveMemo({
    key,
    // News without room leave the version, so that a flood of them cannot block others' processing.
    version: (before?.version ?? 0) + (room > 0 ? 1 : 0),
    watch: watchWithNews(key, before?.watch ?? "failures"),
    data: before?.data ?? "",
    news: [...waiting, ...added.slice(0, room)],
    droppedNews: (before?.droppedNews ?? 0) + Math.max(0, added.length - room),
  });
  if (waiting.length === 0) accept(state, moment, newsInstance(noticeId, moment.wallMs, [key]));
  return added.length;
}

/** A success before news of a failure are processed must be among them. */
function watchWithNews(key: string, watch: MemoWatch): MemoWatch {
  return watch === "failures" && key.startsWith(JOB_MEMO) ? "ends" : watch;
}

/** Id of the news: an instance ends once. Another UUID version keeps it from the instance's id. */
function newsIdOfEnd(id: string): string {
  return `${id.slice(0, 14)}${id[14] === "8" ? "9" : "8"}${id.slice(15)}`;
}

/** Accept an instance, unless its id exists. */
function accept(state: LedgerState, moment: Moment, instance: NewInstance): void {
  if (state.tables.instances.get(instance.id)) return;
  insertInstance(state, moment, acceptInstance(instance, moment));
}
