import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { type Notice, NOTICE_EVENTS, type NoticeEvent } from "../../core/notices/notice.ts";
import { digestTitleOf } from "../../core/notices/notice_text.ts";
import { quietUntil } from "../../core/notices/quiet_time.ts";
import { hasWholeOutput } from "../../core/notices/settings.ts";
import { readSubject } from "../../core/notices/subject_state.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { Channel, DeliveryContext } from "../channels/channel.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import { channelOfKind, incidentNoticeId, type NoticeDelivery } from "../context/notice_kinds.ts";
import { readMemo } from "../context/memos.ts";
import {
  COLLECTED_WAIT_MS,
  type CollectedDelivery,
  type CollectedItem,
  type Collecting,
  deliverAt,
  forgetCollected,
  hasCollectedEarlier,
  isCollected,
  readCollected,
  silencedUntil,
  silenceFacts,
} from "./collected.ts";
import { commandOfKind, outputOf } from "./run_output.ts";

/** Most items in a digest; the rest is counted. */
const ITEMS_MAX = 500;
/** Longest wait of a notice for an earlier one, or for news, of its incident, in milliseconds. */
const ORDER_WAIT_MS = 10_000;
/** Wait of a delivery for another delivery of the same items, in milliseconds. */
const UNDER_WAY_MS = 5_000;
/** Wait of a notice after the next try of the previous one, in milliseconds. */
const NEXT_MS = 100;
/** Wait of a notice while the previous one is sent, in milliseconds. */
const SENDING_MS = 1_000;
/** Wait after a delivery until items that came too late for it are delivered, in milliseconds. */
const AGAIN_MS = 1_000;

/** The result of a delivery that did not fail. */
export type DeliveryResult =
  | { readonly type: "delivered" }
  /** To be repeated later, without a failure. */
  | { readonly type: "later"; readonly delayMs: number };

/**
 * Deliver the notice, or the collected notices, of an instance of a channel's kind.
 *
 * @throws JobError if it was not delivered, or may not have been
 */
export async function deliver(
  instance: Instance,
  { signal, log }: Pick<DeliveryContext, "signal" | "log">,
  context: NoticeContext,
): Promise<DeliveryResult> {
  const name = channelOfKind(instance.kind)!;
  const channel = context.channels.get(name);
  if (!channel) {
    throw new JobError("not_found", `Cannot deliver: this daemon has no channel "${name}"`, {
      hint: `Add [notices.${name}] to its configuration, and reload it`,
    });
  }
  const [, given] = JSON.parse(instance.argumentsJson) as [
    string?,
    (NoticeDelivery | CollectedDelivery)?,
  ];
  if (given === undefined) {
    throw new JobError("invalid_argument", "Cannot deliver: there is no notice", {
      hint: "Only the daemon schedules deliveries. To test a channel: jobctl notices test",
    });
  }
  const how = { attempt: instance.attempt, signal, ...(log ? { log } : {}) };
  if ("collected" in given) return await deliverCollected(channel, instance, how, context);
  const reminded = await isOver(given, name, context);
  if (reminded === true) return { type: "delivered" };
  if (reminded === "unknown") return { type: "later", delayMs: ORDER_WAIT_MS };
  const delayMs = await delayByEarlier(given, name, context);
  if (delayMs !== null) return { type: "later", delayMs };
  const { notice } = given;
  const isWhole = notice.type === "output" && hasWholeOutput(channel.settings);
  const output = await outputOf(notice, context, isWhole);
  const cron = isWhole ? commandOfKind(notice.subject.name, context) : undefined;
  // A cron's mail has nothing but the output.
  const more = given.leftOut === undefined
    ? {}
    : isWhole
    ? { output: [...output, `[${given.leftOut}]`] }
    : { facts: [...notice.facts, given.leftOut] };
  await channel.deliver({ ...notice, output, ...(cron ? { cron } : {}), ...more }, how);
  return { type: "delivered" };
}

async function deliverCollected(
  channel: Channel,
  instance: Instance,
  how: DeliveryContext,
  context: NoticeContext,
): Promise<DeliveryResult> {
  const { name, rules } = channel.settings;
  const collecting = collectingOf(instance)!;
  const nowMs = context.clock.now().wallMs;
  if (await isUnderWay(instance, context)) return { type: "later", delayMs: UNDER_WAY_MS };
  const earlierAt = await earlierDigestAt(instance, context);
  if (earlierAt !== null) {
    return { type: "later", delayMs: Math.max(ORDER_WAIT_MS, earlierAt - nowMs + UNDER_WAY_MS) };
  }
  const found = await readCollected(name, collecting, context);
  if (found.length === 0) return { type: "delivered" };
  if (await hasCollectedEarlier(name, collecting, context)) {
    return { type: "later", delayMs: ORDER_WAIT_MS };
  }
  const quietEnd = quietUntil(rules.quiet, context.timezone, nowMs);
  if (quietEnd !== null) return { type: "later", delayMs: quietEnd - nowMs };
  const { ripe, nextAt } = collecting.why === "silence"
    ? await endedSilences(found, context)
    : { ripe: found, nextAt: null };
  if (ripe.length > 0) {
    await channel.deliver(await digestOf(ripe, { collecting, context }), how);
    await forgetCollected(ripe, context);
  }
  if (nextAt !== null) {
    // Done by another instance: there is one for each end, to avoid duplicates.
    const isPlanned = await deliverAt(name, { ...collecting, until: nextAt }, context);
    return isPlanned ? { type: "delivered" } : { type: "later", delayMs: nextAt - nowMs };
  }
  const rest = await readCollected(name, collecting, context);
  return rest.length === 0 ? { type: "delivered" } : { type: "later", delayMs: AGAIN_MS };
}

/** Items of no longer silenced subjects, and the end of the next silences. */
async function endedSilences(
  found: readonly CollectedItem[],
  context: NoticeContext,
): Promise<{ readonly ripe: readonly CollectedItem[]; readonly nextAt: number | null }> {
  const ripe: CollectedItem[] = [];
  const ends: number[] = [];
  for (const one of found) {
    const end = await silencedUntil(one.item.subject, context);
    if (end === null) ripe.push(one);
    else ends.push(end);
  }
  return { ripe, nextAt: ends.length === 0 ? null : Math.min(...ends) };
}

/** True if another instance that began earlier delivers the same. */
async function isUnderWay(instance: Instance, { store }: NoticeContext): Promise<boolean> {
  const own = collectingOf(instance)!;
  const beganAt = (one: Instance) => one.processedAt ?? 0;
  const query = { kinds: [instance.kind], states: ["processing"] } as const;
  const { items } = await store.list(query, { limit: 500 });
  return items.some((other) => {
    const theirs = collectingOf(other);
    if (theirs === null || other.id === instance.id || theirs.why !== own.why) return false;
    if (theirs.until !== own.until && own.why !== "silence") return false;
    const isFirst = beganAt(instance) - beganAt(other) || (instance.id < other.id ? -1 : 1);
    return isFirst > 0;
  });
}

/** Next try of the last waiting earlier digest; null without one. */
async function earlierDigestAt(
  instance: Instance,
  { store }: NoticeContext,
): Promise<number | null> {
  const { why, until } = collectingOf(instance)!;
  // Items collected in a silence are keyed by subject, not by time.
  if (why === "silence") return null;
  const query = { kinds: [instance.kind], states: ["scheduled", "processing"] } as const;
  const { items } = await store.list(query, { limit: 500, order: "oldest" });
  const earlier = items.filter((other) => {
    const theirs = collectingOf(other);
    return theirs?.why === why && theirs.until < until;
  });
  return earlier.length === 0 ? null : Math.max(...earlier.map(({ dueAt }) => dueAt));
}

function collectingOf({ argumentsJson }: Instance): Collecting | null {
  const [, given] = JSON.parse(argumentsJson) as [string?, Partial<CollectedDelivery>?];
  return given?.collected ?? null;
}

async function digestOf(
  found: readonly CollectedItem[],
  { collecting, context }: {
    readonly collecting: Collecting;
    readonly context: NoticeContext;
  },
): Promise<Notice> {
  const { host, node } = context;
  const items = found.slice(0, ITEMS_MAX).map(({ item }) => item);
  const total = found.reduce((sum, { item }) => sum + item.count, 0);
  const more = found.length - items.length;
  // The same id only for the same content, as some servers drop ids that they have seen.
  const content = found.map(({ key, version, lastId }) => `${key} ${version} ${lastId}`);
  return {
    id: idOfText(["digest", ...content].join(" ")),
    type: "digest",
    at: collecting.until,
    subject: { type: "daemon", name: node },
    host,
    node,
    isReminder: false,
    run: null,
    incident: null,
    output: [],
    items,
    title: digestTitleOf(HEADINGS[collecting.why], found.map(({ item }) => item)),
    facts: [
      ...total === 1 ? [] : [`${total} events: ${countsOf(found)}`],
      ...collecting.why === "silence" ? await silenceFacts(items, context) : [],
      ...more === 0 ? [] : [`${more} more are not listed`],
    ],
    command: "jobctl incidents",
  };
}

/** Beginnings of digest titles. */
const HEADINGS: Readonly<Record<Collecting["why"], string>> = {
  digest: "Digest",
  quiet: "During quiet hours",
  silence: "During a silence",
  flood: "Over the limit of notices",
};

/** Number of occurrences of each event, such as `failed 3, recovered 1`. */
function countsOf(found: readonly CollectedItem[]): string {
  const counts = new Map<NoticeEvent, number>();
  for (const { item: { event, count } } of found) {
    counts.set(event, (counts.get(event) ?? 0) + count);
  }
  return NOTICE_EVENTS.filter((event) => counts.has(event))
    .map((event) => `${event} ${counts.get(event)}`).join(", ");
}

/**
 * Wait of a notice for earlier ones of the same subject that still wait, in milliseconds; null
 * without any. "recovered" must not come before "failed", nor the "failed" of the next incident
 * before it, or the last one would be wrong. Little more than the earlier one, since a hundred may
 * wait for each other in a row.
 */
async function delayByEarlier(
  { notice: { incident, isReminder, subject, at }, previousId, round = 0 }: NoticeDelivery,
  channel: string,
  { store, clock }: NoticeContext,
): Promise<number | null> {
  if (incident === null) return null;
  const isFirst = incident.closedAt === null && !isReminder;
  if (isFirst && round === 0) return null;
  const others = NOTICE_EVENTS.filter((event) => event !== "recovered");
  const recoveredIn = round === 0 ? [] : [incident.id, ...previousId ? [previousId] : []];
  const earlier = [
    ...(isFirst ? [] : others).map((event) =>
      incidentNoticeId(incident.id, event, { channel, round })
    ),
    ...recoveredIn.map((id) => incidentNoticeId(id, "recovered", { channel, round: round - 1 })),
  ];
  const query = { ids: earlier, states: ["scheduled", "processing"] } as const;
  const { items } = await store.list(query, { limit: earlier.length });
  const nowMs = clock.now().wallMs;
  if (items.some(({ state }) => state === "processing")) return SENDING_MS;
  if (items.length > 0) {
    return Math.max(0, ...items.map(({ dueAt }) => dueAt - nowMs)) + NEXT_MS;
  }
  const isLate = at + COLLECTED_WAIT_MS < nowMs;
  const isWaiting = !isFirst && !isLate && await isCollected(channel, subject, at, { store });
  return isWaiting ? ORDER_WAIT_MS : null;
}

/** News that may close an incident. */
const ENDS: ReadonlySet<string> = new Set(["completed", "well", "removed"]);

/**
 * True if a reminder is pointless: the incident has closed, is over for the channel, or is
 * acknowledged. Unknown while news that may close it are unprocessed.
 */
async function isOver(
  { notice, memo: key, round = 0 }: NoticeDelivery,
  channel: string,
  context: NoticeContext,
): Promise<boolean | "unknown"> {
  if (!notice.isReminder || key === undefined) return false;
  const memo = await readMemo(key, context);
  if (memo === null) return true;
  const { incident, rounds } = readSubject(memo.data);
  if ((rounds[channel] ?? 0) !== round) return true;
  const isPast = incident?.id !== notice.incident?.id || incident?.closedAt !== null ||
    incident.acknowledgedBy !== null;
  if (isPast) return true;
  const mayEnd = memo.droppedNews > 0 || memo.news.some(({ event }) => ENDS.has(event));
  return mayEnd ? "unknown" : false;
}
