import type { JobOptions, RetryPolicy } from "../../core/job/gen/job_options.ts";
import { type JobDefinition, NO_HANDLERS } from "../../core/job/job.ts";
import { JOB_DEFAULTS } from "../../core/job/option_table.ts";
import type { Notice, NoticeEvent } from "../../core/notices/notice.ts";
import { idOfText } from "../../platform/text_ids.ts";
import { type NewInstance, NEWS_KIND, newsInstance } from "../../store/store.ts";

/** Start of the kinds of deliveries; the channel's name follows. */
const DELIVERY = "system.notice.";

/** Most deliveries of a channel at once: one that hangs must not hold up those of others. */
const AT_ONCE_MAX = 10;

const DAY = 86_400_000;

/** What an instance of {@link NEWS_KIND} processes: the news of a memo, or a reminder. */
export interface NewsTask {
  readonly key: string;
  readonly reminder: Reminder | null;
}

/** A reminder of an open incident, for one channel. */
export interface Reminder {
  readonly incidentId: string;
  readonly channel: string;
  /** 1 for the first. */
  readonly number: number;
  /** How often the subject had recovered for the channel before; absent for 0. */
  readonly round?: number;
}

/** The kind of the deliveries of a channel. */
export function deliveryKindOf(channel: string): string {
  return DELIVERY + channel;
}

/** The channel whose deliveries have a kind; null for any other kind. */
export function channelOfKind(kind: string): string | null {
  return kind.startsWith(DELIVERY) ? kind.slice(DELIVERY.length) : null;
}

/** True for the kinds of the system jobs of notices. */
export function isNoticeKind(kind: string): boolean {
  return kind === NEWS_KIND || kind.startsWith(DELIVERY);
}

/** The system jobs that process news and deliver notices. They take no worker. */
export function noticeJobs(
  channels: Iterable<string>,
  nowMs: number,
): readonly JobDefinition[] {
  // A server that is away for a day still gets its notices.
  const retry: RetryPolicy = {
    max: 100,
    initialMs: 5_000,
    capMs: 1_800_000,
    jitter: 0.2,
    notOn: [],
    backoff: "exponential",
    on: ["error", "timeout"],
  };
  const job = (kind: string, description: string, more: Partial<JobOptions>): JobDefinition => ({
    kind,
    description,
    source: { type: "system", name: kind },
    signature: {
      parameters: [],
      resultCount: 0,
      resultText: "void",
      doc: description,
      isTyped: true,
      warnings: [],
    },
    // Not those of `[defaults]`, which are for jobs of users.
    options: { ...JOB_DEFAULTS, isolation: "inline", workerSlot: false, ...more },
    schedules: [],
    hasHandler: NO_HANDLERS,
    registeredAt: nowMs,
  });
  const news = job(NEWS_KIND, "Decides who is notified of failures and recoveries", {
    retry: { ...retry, max: -1, capMs: 60_000 },
  });
  const deliveries = [...channels].map((channel) =>
    job(deliveryKindOf(channel), `Delivers the notices of channel ${channel}`, {
      retry,
      concurrency: [{ max: AT_ONCE_MAX, by: [], per: "cluster" }],
    })
  );
  return [news, ...deliveries];
}

/** The argument of an instance that delivers one notice. */
export interface NoticeDelivery {
  readonly notice: Notice;
  /** Key of the memo that has its incident; absent from what an older version wrote. */
  readonly memo?: string;
  /** Id of the incident before its own, whose end is to be delivered first; absent if unknown. */
  readonly previousId?: string;
  /** How often the subject had recovered for the channel before; absent for 0. */
  readonly round?: number;
  /** A sentence about news that are not reported; absent for none. */
  readonly leftOut?: string;
}

/**
 * The id of the delivery of an event that a channel is notified of once in an incident, or once
 * again after a recovery in it.
 *
 * @param round how often the subject had recovered for the channel before
 */
export function incidentNoticeId(
  incidentId: string,
  event: NoticeEvent,
  { channel, round }: { readonly channel: string; readonly round: number },
): string {
  return idOfText(`notice ${incidentId} ${event} ${channel}${roundText(round)}`);
}

/** Ids of the first round stay those of versions without rounds. */
function roundText(round: number): string {
  return round === 0 ? "" : ` ${round}`;
}

/** An instance that delivers something through a channel at a time. */
export function newDelivery(
  channel: string,
  delivery: {
    readonly id: string;
    readonly dueAt: number | null;
    /** What is delivered, in a few words: lists of instances show it first. */
    readonly title: string;
    readonly argument: unknown;
  },
): NewInstance {
  const kind = deliveryKindOf(channel);
  return {
    id: delivery.id,
    kind,
    queueKey: kind,
    uniqueKey: null,
    retryOf: null,
    argumentsJson: JSON.stringify([delivery.title, delivery.argument]),
    dueAt: delivery.dueAt,
    priority: 0,
    scheduleId: null,
    scheduledFor: null,
    deadlineAt: null,
    retryMax: 100,
    crashesMax: 1_000_000,
    timeoutMs: 0,
    keepSuccessMs: 7 * DAY,
    keepFailureMs: 30 * DAY,
  };
}

/** An instance that processes news now, or a reminder at its time. */
export function newNewsTask(task: NewsTask, id: string, dueAt: number | null): NewInstance {
  const { key, reminder } = task;
  return newsInstance(id, dueAt, reminder ? [key, reminder] : [key]);
}

/** The id of a reminder's instance, the same whenever it is planned. */
export function reminderId(key: string, { incidentId, channel, number, round }: Reminder): string {
  return idOfText(`reminder ${key} ${incidentId} ${channel} ${number}${roundText(round ?? 0)}`);
}

/** Read the task of an instance of {@link NEWS_KIND}; null for one that somebody else made. */
export function readNewsTask(argumentsJson: string): NewsTask | null {
  const [key, reminder = null] = JSON.parse(argumentsJson) as [unknown?, Reminder?];
  return typeof key === "string" ? { key, reminder } : null;
}
