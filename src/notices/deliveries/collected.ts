import { JobError } from "../../core/errors.ts";
import type { Silence } from "../../core/notices/incident.ts";
import type { DigestItem, NoticeSubject } from "../../core/notices/notice.ts";
import { type Hold, holdOf, isRunning, silenceZoneOf } from "../../core/notices/holding.ts";
import { presetNeeds } from "../../core/notices/presets.ts";
import { quietSince, quietUntil } from "../../core/notices/quiet_time.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { Memo, NewInstance } from "../../store/store.ts";
import type { WebhookTarget } from "../channels/webhook/webhook_channel.ts";
import { memosOf, readMemo, SILENCE_MEMO, tryPutMemo } from "../context/memos.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import { newDelivery } from "../context/notice_kinds.ts";

/**
 * Start of the keys of collected items; channel, reason, time and subject follow. During silences
 * the time is 0, since their end may move.
 */
const COLLECTED_MEMO = "collected:";
/** Start of the keys of the ends of windows of digests; the channel follows. */
const WINDOW_MEMO = "window:";
/** Most silences that a summary names. */
const SILENCES_LISTED_MAX = 10;
/** Digits of a time in a key, so that keys are in the order of times. */
const DIGITS = 16;
/** Most ids that an item remembers, to avoid counting one twice. */
const IDS_MAX = 200;
/** Longest wait of a notice, after its event, for collected items, in milliseconds. */
export const COLLECTED_WAIT_MS = 86_400_000;
/** Titles of deliveries in lists of instances. */
const TITLES = {
  digest: "a digest",
  quiet: "notices held during quiet hours",
  silence: "notices held during a silence",
  flood: "notices over the limit",
} as const;
/** Number of items that are forgotten in one transaction. */
const FORGET_AT_ONCE = 100;
/** Most times that a memo is read again because others changed it meanwhile. */
const TRIES_MAX = 20;

/** Why something is collected instead of sent at once, and until when. */
export interface Collecting {
  readonly why: "digest" | "quiet" | "silence" | "flood";
  /** Epoch ms. */
  readonly until: number;
}

interface CollectedNews extends Omit<DigestItem, "count" | "firstAt" | "lastAt"> {
  /** Stays the same when collected again. */
  readonly id: string;
  readonly at: number;
}

/** An item with the ids of its counted notices. */
interface StoredItem extends DigestItem {
  readonly ids: readonly string[];
}

/** A collected item, as read. */
export interface CollectedItem {
  readonly item: DigestItem;
  readonly key: string;
  readonly version: number;
  /** Id of the last counted notice. */
  readonly lastId: string;
}

/** The argument of an instance that delivers collected items. */
export interface CollectedDelivery {
  readonly collected: Collecting;
}

/** Reason and end of collecting a notice for a channel; null to send it at once. */
export async function collectUntil(
  channel: string,
  { subject, ...notice }: Pick<CollectedNews, "id" | "event" | "subject">,
  context: NoticeContext,
): Promise<Collecting | null> {
  const hold = holdNow(channel, await silencedUntil(subject, context), context);
  if (hold?.why === "digest") {
    return { why: "digest", until: await windowEnd(channel, hold.windowMs, context) };
  }
  if (hold !== null) return hold;
  const settings = context.channels.get(channel)?.settings;
  if (!settings) return null;
  const { rules: { limit }, target } = settings;
  // A service that opens incidents would otherwise never close this one.
  const preset = target.to === "webhook" ? (target as WebhookTarget).preset : null;
  const closes = notice.event === "recovered" && preset !== null &&
    presetNeeds(preset).hasIncidents;
  const flooded = closes ? null : context.flood.blockedUntil(channel, notice, limit);
  return flooded === null ? null : { why: "flood", until: flooded };
}

function holdNow(
  channel: string,
  silence: number | null,
  { channels, clock, timezone }: NoticeContext,
): Hold | null {
  const rules = channels.get(channel)?.settings.rules;
  return holdOf(rules, silence, { timezone, atMs: clock.now().wallMs });
}

/** End of the silences that a subject is in, epoch ms; null outside of silences. */
export async function silencedUntil(
  { type, name }: NoticeSubject,
  { store, clock, findJob, timezone }: NoticeContext,
): Promise<number | null> {
  const nowMs = clock.now().wallMs;
  const ends: number[] = [];
  const keys = type === "job" ? [SILENCE_MEMO, SILENCE_MEMO + name] : [SILENCE_MEMO];
  for (const key of keys) {
    const memo = await readMemo(key, { store });
    if (memo && memo.data !== "") ends.push((JSON.parse(memo.data) as Silence).until);
  }
  const job = type === "job" ? findJob(name) : undefined;
  if (job) {
    const zone = silenceZoneOf(job, timezone);
    const end = quietUntil(job.options.silence, zone, nowMs);
    if (end !== null) ends.push(end);
  }
  const until = Math.max(...ends, 0);
  return until > nowMs ? until : null;
}

/** The silences that covered some items, one sentence each: author, times and reason. */
export async function silenceFacts(
  items: readonly DigestItem[],
  context: Pick<NoticeContext, "store" | "timezone" | "findJob">,
): Promise<readonly string[]> {
  const { store, timezone } = context;
  const time = (at: number) => formatLocal(at, timezone);
  const firstAt = Math.min(...items.map((item) => item.firstAt));
  const kinds = items.filter(({ subject }) => subject.type === "job")
    .map(({ subject }) => subject.name);
  const facts: string[] = [];
  for (const kind of ["", ...new Set(kinds)]) {
    if (facts.length >= SILENCES_LISTED_MAX) break;
    const window = windowOf(kind, items, context);
    if (window) {
      const span = `from ${time(window.since)} to ${time(window.until)}`;
      facts.push(`${kind} was silenced by the configuration ${span}`);
    }
    const memo = await readMemo(SILENCE_MEMO + kind, { store });
    if (!memo || memo.data === "") continue;
    const { since, until, by, reason } = JSON.parse(memo.data) as Silence;
    // An earlier silence, which has ended.
    if (until <= firstAt) continue;
    const why = reason === "" ? "" : `: ${reason}`;
    const what = kind === "" ? "Everything" : kind;
    facts.push(`${what} was silenced by ${by} from ${time(since)} to ${time(until)}${why}`);
  }
  return facts;
}

/** The window of a job's configuration in which one of its items came; null without one. */
function windowOf(
  kind: string,
  items: readonly DigestItem[],
  { findJob, timezone }: Pick<NoticeContext, "timezone" | "findJob">,
): { readonly since: number; readonly until: number } | null {
  const job = kind === "" ? undefined : findJob(kind);
  if (!job || job.options.silence.length === 0) return null;
  const zone = silenceZoneOf(job, timezone);
  for (const { subject, firstAt, lastAt } of items) {
    if (subject.type !== "job" || subject.name !== kind) continue;
    for (const at of [firstAt, lastAt]) {
      const since = quietSince(job.options.silence, zone, at);
      const until = quietUntil(job.options.silence, zone, at);
      if (since !== null && until !== null) return { since, until };
    }
  }
  return null;
}

/** Deliver at `dueAt`, after the end of a silence, the items that were collected meanwhile. */
export async function deliverSilenced(
  dueAt: number,
  { store, clock, channels }: Pick<NoticeContext, "store" | "clock" | "channels">,
): Promise<void> {
  const instances: NewInstance[] = [];
  for (const channel of channels.keys()) {
    const collecting: Collecting = { why: "silence", until: dueAt };
    const prefix = prefixOf(channel, collecting);
    const found = await store.listMemos({ prefix, after: null, limit: 1 });
    if (found.length > 0) instances.push(deliveryOf(channel, collecting, `at ${dueAt}`));
  }
  if (instances.length > 0) await store.enqueue({ at: clock.now(), instances });
}

/**
 * Deliver items collected at a time: by one instance, even if requested again.
 *
 * @returns false if that instance was cancelled, or is past
 */
export async function deliverAt(
  channel: string,
  collecting: Collecting,
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<boolean> {
  const delivery = deliveryOf(channel, collecting);
  await store.enqueue({ at: clock.now(), instances: [delivery] });
  return (await store.get(delivery.id))?.state === "scheduled";
}

/** The end of the running window of a digest, which begins with its first notice. */
async function windowEnd(
  channel: string,
  digestMs: number,
  context: NoticeContext,
): Promise<number> {
  const { clock } = context;
  const key = WINDOW_MEMO + channel;
  for (let tries = 1;; tries++) {
    const nowMs = clock.now().wallMs;
    const memo = await readMemo(key, context);
    const until = memo ? Number(memo.data) : 0;
    if (isRunning(until, digestMs, nowMs)) return until;
    const next = nowMs + digestMs;
    const isWritten = await tryPutMemo({
      at: clock.now(),
      key,
      expectedVersion: memo?.version ?? null,
      isProcessed: true,
      value: { watch: "failures", data: String(next) },
      instances: [],
    }, context);
    if (isWritten) return next;
    if (tries === TRIES_MAX) throw changedTooOften(key);
  }
}

/**
 * Count a notice that a channel has had before. In a silence it is kept for the summary; otherwise
 * it only counts where it is already collected.
 *
 * @param silence end of the silences of its subject; null outside of silences
 */
export async function collectRepeat(
  channel: string,
  silence: number | null,
  news: CollectedNews,
  context: NoticeContext,
): Promise<void> {
  const hold = holdNow(channel, silence, context);
  const collecting = hold?.why === "digest" ? await runningDigest(channel, context) : hold;
  if (collecting === null) return;
  const isCounted = collecting.why === "silence" ||
    await readMemo(itemKeyOf(channel, collecting, news), context) !== null;
  if (!isCounted) return;
  await collect(channel, collecting, news, context);
}

/** The digest with a running window; null without one. */
async function runningDigest(channel: string, context: NoticeContext): Promise<Collecting | null> {
  const window = await readMemo(WINDOW_MEMO + channel, context);
  const until = window ? Number(window.data) : 0;
  return until > context.clock.now().wallMs ? { why: "digest", until } : null;
}

/** Keep something for a later delivery, which is accepted in the same transaction. */
export async function collect(
  channel: string,
  collecting: Collecting,
  news: CollectedNews,
  context: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  const { store, clock } = context;
  const key = itemKeyOf(channel, collecting, news);
  const delivery = deliveryOf(channel, collecting);
  for (let tries = 1;; tries++) {
    const memo = await readMemo(key, { store });
    const before = memo && readItem(memo);
    if (before?.ids.includes(news.id)) break;
    const after = itemAfter(before, news);
    if (await putItem({ key, version: memo?.version ?? null, item: after, delivery }, context)) {
      break;
    }
    if (tries === TRIES_MAX) throw changedTooOften(key);
  }
  // The delivery may have begun, and have read the items before.
  const planned = await store.get(delivery.id);
  if (planned?.state === "scheduled") return;
  const further = { ...deliveryOf(channel, collecting, news.id), dueAt: null };
  await store.enqueue({ at: clock.now(), instances: [further] });
}

/** The instance that delivers collected items. @param distinction makes the id of another one */
function deliveryOf(channel: string, collecting: Collecting, distinction = ""): NewInstance {
  const { why, until } = collecting;
  const argument: CollectedDelivery = { collected: collecting };
  const id = idOfText(`collected ${channel} ${why} ${until} ${distinction}`);
  return newDelivery(channel, { id, dueAt: until, title: TITLES[why], argument });
}

function itemAfter(before: StoredItem | null, news: CollectedNews): StoredItem {
  const { id, at, ...rest } = news;
  return {
    ...rest,
    count: (before?.count ?? 0) + 1,
    firstAt: before?.firstAt ?? at,
    lastAt: at,
    ids: [...before?.ids ?? [], id].slice(-IDS_MAX),
  };
}

/** Collected items, oldest first. */
export async function readCollected(
  channel: string,
  collecting: Collecting,
  { store }: Pick<NoticeContext, "store">,
): Promise<readonly CollectedItem[]> {
  const prefix = prefixOf(channel, collecting);
  const found: CollectedItem[] = [];
  for await (const memo of memosOf(prefix, { store })) {
    const { ids, ...item } = readItem(memo);
    found.push({ item, key: memo.key, version: memo.version, lastId: ids.at(-1) ?? "" });
  }
  return found.sort((left, right) => left.item.firstAt - right.item.firstAt);
}

/** True if an event of a subject up to a time is still to be delivered. */
export async function isCollected(
  channel: string,
  { type, name }: NoticeSubject,
  by: number,
  { store }: Pick<NoticeContext, "store">,
): Promise<boolean> {
  const prefix = `${COLLECTED_MEMO}${channel}:`;
  const memos = await store.listMemos({ prefix, after: null, limit: 500 });
  return memos.some((memo) =>
    memo.key.includes(`:${type}:${name}:`) && readItem(memo).firstAt <= by
  );
}

/**
 * True if items collected until an earlier time are still to be delivered: a recovery must not
 * overtake the failure. Very old items are not waited for.
 */
export async function hasCollectedEarlier(
  channel: string,
  collecting: Collecting,
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<boolean> {
  const { why } = collecting;
  if (why === "silence") return false;
  const oldest = clock.now().wallMs - COLLECTED_WAIT_MS;
  const after = prefixOf(channel, { why, until: Math.max(0, oldest) });
  const prefix = `${COLLECTED_MEMO}${channel}:${why}:`;
  const [first] = await store.listMemos({ prefix, after, limit: 1 });
  return first !== undefined && first.key < prefixOf(channel, collecting);
}

/** Forget delivered items, except for later additions. */
export async function forgetCollected(
  delivered: readonly CollectedItem[],
  context: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  for (let from = 0; from < delivered.length; from += FORGET_AT_ONCE) {
    const some = delivered.slice(from, from + FORGET_AT_ONCE);
    await Promise.all(some.map((one) => forgetItem(one, context)));
  }
}

async function forgetItem(
  { key, version, item }: CollectedItem,
  context: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  if (await putItem({ key, version, item: null, delivery: null }, context)) return;
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const memo = await readMemo(key, context);
    if (memo === null) return;
    const after = readItem(memo);
    const count = after.count - item.count;
    const rest = count > 0 ? { ...after, count, firstAt: item.lastAt } : null;
    if (await putItem({ key, version: memo.version, item: rest, delivery: null }, context)) return;
  }
  throw changedTooOften(key);
}

/** @returns false if it was changed meanwhile */
function putItem(
  { key, version, item, delivery }: {
    readonly key: string;
    readonly version: number | null;
    readonly item: StoredItem | null;
    readonly delivery: NewInstance | null;
  },
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<boolean> {
  return tryPutMemo({
    at: clock.now(),
    key,
    expectedVersion: version,
    isProcessed: true,
    value: item && { watch: "failures", data: JSON.stringify(item) },
    instances: delivery ? [delivery] : [],
  }, { store });
}

function readItem({ data }: Memo): StoredItem {
  return JSON.parse(data) as StoredItem;
}

function changedTooOften(key: string): JobError {
  return new JobError("conflict", `Cannot write memo "${key}": others change it too often`, {
    hint: "It is tried again later",
  });
}

function itemKeyOf(
  channel: string,
  collecting: Collecting,
  { subject, event }: Pick<CollectedNews, "subject" | "event">,
): string {
  return `${prefixOf(channel, collecting)}${subject.type}:${subject.name}:${event}`;
}

function prefixOf(channel: string, { why, until }: Collecting): string {
  const time = why === "silence" ? 0 : until;
  return `${COLLECTED_MEMO}${channel}:${why}:${String(time).padStart(DIGITS, "0")}:`;
}
