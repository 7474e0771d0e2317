import { isJobError } from "../../core/errors.ts";
import type { Silence } from "../../core/notices/incident.ts";
import type { DigestItem, NoticeSubject } from "../../core/notices/notice.ts";
import { presetNeeds } from "../../core/notices/presets.ts";
import { quietUntil } from "../../core/notices/quiet_time.ts";
import { idOfText } from "../../platform/ids.ts";
import { BATCH_MAX, type Memo, type NewInstance } from "../../store/store.ts";
import { SILENCE_MEMO } from "../incidents/silences.ts";
import { readMemo } from "../read_memo.ts";
import type { NoticeContext } from "../notice_context.ts";
import { newDelivery } from "../notice_kinds.ts";

/** Start of the keys of what is collected; channel, reason, time and subject follow. */
const COLLECTED_MEMO = "collected:";
/** Most silences that a summary names. */
const SILENCES_TOLD_MAX = 10;
/** Digits of a time in a key, so that keys are in the order of times. */
const DIGITS = 16;
/** Most ids that an item remembers, so that none is counted twice. */
const IDS_MAX = 200;
/** Titles of deliveries in lists of instances. */
const TITLES = {
  digest: "a digest",
  quiet: "notices held during quiet hours",
  silence: "notices held during a silence",
  flood: "notices over the limit",
} as const;

/** How often a memo is read again because others changed it meanwhile. */
const TRIES_MAX = 20;

/** Why something is collected instead of sent at once, and until when. */
export interface Collecting {
  readonly why: "digest" | "quiet" | "silence" | "flood";
  /** Epoch ms. */
  readonly until: number;
}

/** Something to collect. */
interface CollectedNews extends Omit<DigestItem, "count" | "firstAt" | "lastAt"> {
  /** The same when it is collected again. */
  readonly id: string;
  readonly at: number;
}

/** An item with the ids of what it counts. */
interface StoredItem extends DigestItem {
  readonly ids: readonly string[];
}

/** The argument of an instance that delivers what was collected. */
export interface CollectedDelivery {
  readonly collected: Collecting;
}

/** Why and until when a notice is collected for a channel; null to send it at once. */
export async function collectUntil(
  channel: string,
  { subject, ...notice }: Pick<CollectedNews, "id" | "event" | "subject">,
  context: NoticeContext,
): Promise<Collecting | null> {
  const silence = await silencedUntil(subject, context);
  if (silence !== null) return { why: "silence", until: silence };
  const settings = context.channels.get(channel)?.settings;
  if (!settings) return null;
  const { rules, target } = settings;
  const nowMs = context.clock.now().wallMs;
  const quiet = quietUntil(rules.quiet, context.timezone, nowMs);
  if (quiet !== null) return { why: "quiet", until: quiet };
  if (rules.digestMs !== null) {
    return { why: "digest", until: await windowEnd(channel, rules.digestMs, context) };
  }
  // A service that opens incidents would otherwise never close this one.
  const preset = target.to === "webhook" ? target.preset : null;
  const closes = notice.event === "recovered" && preset !== null &&
    presetNeeds(preset).hasIncidents;
  const flooded = closes ? null : context.flood.blockedUntil(channel, notice);
  return flooded === null ? null : { why: "flood", until: flooded };
}

/** When the silences that a subject is in end, epoch ms; null if it is in none. */
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
    const zone = job.schedules[0]?.spec.timezone ?? timezone;
    const end = quietUntil(job.options.silence, zone, nowMs);
    if (end !== null) ends.push(end);
  }
  const until = Math.max(...ends, 0);
  return until > nowMs ? until : null;
}

/** The silences that covered some items, one sentence each: by whom, from when to when, and why. */
export async function silenceFacts(
  items: readonly DigestItem[],
  { store }: Pick<NoticeContext, "store">,
): Promise<readonly string[]> {
  const firstAt = Math.min(...items.map((item) => item.firstAt));
  const kinds = items.filter(({ subject }) => subject.type === "job")
    .map(({ subject }) => subject.name);
  const facts: string[] = [];
  for (const kind of ["", ...new Set(kinds)]) {
    const memo = await readMemo(SILENCE_MEMO + kind, { store });
    if (!memo || facts.length === SILENCES_TOLD_MAX) continue;
    const { since, until, by, reason } = JSON.parse(memo.data) as Silence;
    // An earlier one, which ended before.
    if (until <= firstAt) continue;
    const time = (at: number) => new Date(at).toISOString();
    const why = reason === "" ? "" : `: ${reason}`;
    const what = kind === "" ? "Everything" : kind;
    facts.push(`${what} was silenced by ${by} from ${time(since)} to ${time(until)}${why}`);
  }
  return facts;
}

/**
 * Deliver what was collected during silences at a time, if that is before their planned end: a
 * silence has ended early. What another silence still holds back waits for the end of that one.
 */
export async function deliverSilenced(
  dueAt: number,
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  const found = new Map<string, NewInstance>();
  for (let after: string | null = null;;) {
    const page: readonly Memo[] = await store.listMemos({
      ...{ prefix: COLLECTED_MEMO, after, limit: 500 },
    });
    for (const { key } of page) {
      const [, channel = "", digits = ""] = /^collected:(.*?):silence:(\d+):/s.exec(key) ?? [];
      const until = Number(digits);
      const id = idOfText(`collected ${channel} silence ${until} at ${dueAt}`);
      if (until <= dueAt || found.has(id)) continue;
      const argument: CollectedDelivery = { collected: { why: "silence", until } };
      found.set(id, newDelivery(channel, { id, dueAt, title: TITLES.silence, argument }));
    }
    if (page.length < 500) break;
    after = page.at(-1)!.key;
  }
  const instances = [...found.values()].slice(0, BATCH_MAX);
  if (instances.length > 0) await store.enqueue({ at: clock.now(), instances });
}

/** The end of the running window of a digest, which begins with its first notice. */
async function windowEnd(
  channel: string,
  digestMs: number,
  context: NoticeContext,
): Promise<number> {
  const { store, clock } = context;
  const key = `window:${channel}`;
  for (let tries = 1;; tries++) {
    const nowMs = clock.now().wallMs;
    const memo = await readMemo(key, context);
    const until = memo ? Number(memo.data) : 0;
    // A clock that was set back must not stretch it.
    if (until > nowMs && until <= nowMs + digestMs) return until;
    const next = nowMs + digestMs;
    try {
      await store.putMemo({
        ...{ at: clock.now(), key, expectedVersion: memo?.version ?? null, isProcessed: true },
        ...{ value: { watch: "failures", data: String(next) }, instances: [] },
      });
      return next;
    } catch (error) {
      if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
    }
  }
}

/** Keep something for a later delivery, which is accepted in the same transaction. */
export async function collect(
  channel: string,
  collecting: Collecting,
  news: CollectedNews,
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  const { subject, event } = news;
  const key = `${prefixOf(channel, collecting)}${subject.type}:${subject.name}:${event}`;
  const argument: CollectedDelivery = { collected: collecting };
  const delivery = newDelivery(channel, {
    title: TITLES[collecting.why],
    id: idOfText(`collected ${channel} ${collecting.why} ${collecting.until}`),
    dueAt: collecting.until,
    argument,
  });
  for (let tries = 1;; tries++) {
    const memo = await readMemo(key, { store });
    const before = memo && JSON.parse(memo.data) as StoredItem;
    if (before?.ids.includes(news.id)) return;
    try {
      await store.putMemo({
        ...{ at: clock.now(), key, expectedVersion: memo?.version ?? null, isProcessed: true },
        value: { watch: "failures", data: JSON.stringify(itemAfter(before, news)) },
        instances: [delivery],
      });
      return;
    } catch (error) {
      if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
    }
  }
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

/** What was collected, oldest first, and how much more there is than `limit`. */
export async function readCollected(
  channel: string,
  collecting: Collecting,
  { limit, context: { store } }: {
    readonly limit: number;
    readonly context: Pick<NoticeContext, "store">;
  },
): Promise<{ readonly items: readonly DigestItem[]; readonly more: number }> {
  const prefix = prefixOf(channel, collecting);
  const memos: Memo[] = [];
  let more = 0;
  for (let after: string | null = null;;) {
    const page: readonly Memo[] = await store.listMemos({ prefix, after, limit: 500 });
    for (const memo of page) {
      if (memos.length < limit) memos.push(memo);
      else more += 1;
    }
    if (page.length < 500) break;
    after = page.at(-1)!.key;
  }
  const items = memos.map(({ data }) => {
    const { ids: _, ...item } = JSON.parse(data) as StoredItem;
    return item;
  });
  return { items: items.sort((left, right) => left.firstAt - right.firstAt), more };
}

/** Forget what was collected, after its delivery. */
export async function forgetCollected(
  channel: string,
  collecting: Collecting,
  { store, clock }: Pick<NoticeContext, "store" | "clock">,
): Promise<void> {
  const prefix = prefixOf(channel, collecting);
  const limit = 500;
  while ((await store.removeMemos({ at: clock.now(), prefix, limit })).value === limit);
}

function prefixOf(channel: string, { why, until }: Collecting): string {
  return `${COLLECTED_MEMO}${channel}:${why}:${String(until).padStart(DIGITS, "0")}:`;
}
