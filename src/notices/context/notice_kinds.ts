import type { JobOptions, RetryPolicy } from "../../core/job/gen/job_options.ts";
import { type JobDefinition, NO_HANDLERS } from "../../core/job/job.ts";
import { JOB_DEFAULTS } from "../../core/job/option_table.ts";
import type { Notice, NoticeEvent } from "../../core/notices/notice.ts";
import { idOfText } from "../../platform/text_ids.ts";
import { type NewInstance, NEWS_KIND, newsInstance } from "../../store/store.ts";

/** Start of the kinds of deliveries; the channel's name follows. */
const DELIVERY = "system.notice.";

/** Most deliveries of a channel at once: a hanging one must not hold up other channels'. */
const AT_ONCE_MAX = 10;

const DAY = 86_400_000;

/** The task of an instance of {@link NEWS_KIND}: the news of a memo, or a reminder. */
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
  /** Number of earlier recoveries of the subject for the channel; absent for 0. */
  readonly round?: number;
}

/** The kind of the deliveries of a channel. */
export function deliveryKindOf(channel: string): string {
  return DELIVERY + channel;
}

/** The channel of a kind of deliveries; null for any other kind. */
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
  // A server that is down for a day still gets its notices.
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
    // Not the options of `[defaults]`, which are for jobs of users.
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
  /** Key of the memo that has its incident; absent if an older version wrote it. */
  readonly memo?: string;
  /** Id of the previous incident, whose end must be delivered first; absent if unknown. */
  readonly previousId?: string;
  /** Number of earlier recoveries of the subject for the channel; absent for 0. */
  readonly round?: number;
  /** A sentence about unreported news; absent without any. */
  readonly leftOut?: string;
}

/**
 * The id of the delivery of an event that a channel gets once per incident, or once more after a
 * recovery in it.
 *
 * @param round number of earlier recoveries of the subject for the channel
 */
export function incidentNoticeId(
  incidentId: string,
  event: NoticeEvent,
  { channel, round }: { readonly channel: string; readonly round: number },
): string {
  return idOfText(`notice ${incidentId} ${event} ${channel}${roundText(round)}`);
}

/** Ids of the first round equal the ids of versions without rounds. */
function roundText(round: number): string {
  return round === 0 ? "" : ` ${round}`;
}

/** An instance that delivers something through a channel at a time. */
export function newDelivery(
  channel: string,
  delivery: {
    readonly id: string;
    readonly dueAt: number | null;
    /** The delivered content in a few words: lists of instances show it first. */
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

/** The id of a reminder's instance, equal for repeated plans. */
export function reminderId(key: string, { incidentId, channel, number, round }: Reminder): string {
  return idOfText(`reminder ${key} ${incidentId} ${channel} ${number}${roundText(round ?? 0)}`);
}

/** Read the task of an instance of {@link NEWS_KIND}; null for a task made by others. */
export function readNewsTask(argumentsJson: string): NewsTask | null {
  const [key, reminder = null] = JSON.parse(argumentsJson) as [unknown?, Reminder?];
  return typeof key === "string" ? { key, reminder } : null;
}
