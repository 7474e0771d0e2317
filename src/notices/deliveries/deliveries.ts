import type { Instance } from "../../core/instance.ts";
import { type Incident, noticeIncidentOf } from "../../core/notices/incident.ts";
import type { PlannedNotice, SubjectNews } from "../../core/notices/next_subject.ts";
import type { Notice, NoticeEvent, NoticeRun, NoticeSubject } from "../../core/notices/notice.ts";
import {
  commandOf,
  detailOf,
  factsOf,
  type NoticeSource,
  titleOf,
} from "../../core/notices/notice_text.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { NewInstance } from "../../store/store.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import {
  incidentNoticeId,
  newDelivery,
  type NoticeDelivery,
  type Reminder,
  reminderId,
} from "../context/notice_kinds.ts";
import { collect, collectRepeat, collectUntil, silencedUntil } from "./collected.ts";

/** Delivery data about the news of one memo. */
interface About {
  readonly key: string;
  readonly subject: NoticeSubject;
  /** The instances of the news, by id; null for deleted ones. */
  readonly runs: ReadonlyMap<string, Instance | null>;
}

/** One notice for one channel, before it is put into words. */
interface Draft {
  readonly id: string;
  readonly event: NoticeEvent;
  readonly at: number;
  readonly incident: Incident | null;
  readonly isReminder: boolean;
  /** Null in reminders. */
  readonly news: SubjectNews | null;
  readonly previousId?: string | null;
  readonly round: number;
  readonly isWell?: boolean;
  readonly leftOut?: string | null;
}

/**
 * The deliveries of some news: one instance for each notice that is sent at once. Others are
 * collected, for a digest or until the end of quiet hours or of a silence.
 */
export class Deliveries {
  /** To accept together with the memo. */
  readonly instances: NewInstance[] = [];
  readonly #context: NoticeContext;
  readonly #about: About;
  /** End of the subject's silences; requested once for all of its repeated failures. */
  #silence: Promise<number | null> | null = null;

  constructor(context: NoticeContext, about: About) {
    this.#context = context;
    this.#about = about;
  }

  /**
   * Deliver notices to channels.
   *
   * @param more id of the previous incident, if any; a sentence about news without room, if any
   */
  async add(
    { channel, event, news, incident, round }: PlannedNotice,
    { previousId, leftOut }: {
      readonly previousId: string | null;
      readonly leftOut: string | null;
    },
  ): Promise<void> {
    const { key } = this.#about;
    const isOnce = incident !== null && event !== "dead";
    await this.#add(channel, {
      event,
      news,
      incident,
      isReminder: false,
      at: news.at,
      previousId,
      round,
      leftOut,
      id: isOnce
        ? incidentNoticeId(incident.id, event, { channel, round })
        : idOfText(`notice ${key} ${news.id} ${event} ${channel}`),
    });
  }

  /** Remind a channel of an open incident. @param isWell true if the last run succeeded */
  async addReminder(
    reminder: Reminder,
    event: NoticeEvent,
    incident: Incident,
    isWell: boolean,
  ): Promise<void> {
    const { channel, round = 0 } = reminder;
    await this.#add(channel, {
      event,
      incident,
      isReminder: true,
      news: null,
      round,
      isWell,
      at: this.#context.clock.now().wallMs,
      id: idOfText(`reminder notice ${reminderId(this.#about.key, reminder)}`),
    });
  }

  /** Count a notice that a channel has had before, if there will be a summary of it. */
  async addRepeat({ channel, event, news, incident }: PlannedNotice): Promise<void> {
    const { key, subject } = this.#about;
    const source = this.#sourceOf({ event, incident, isReminder: false, news });
    this.#silence ??= silencedUntil(subject, this.#context);
    await collectRepeat(channel, await this.#silence, {
      id: idOfText(`repeat ${key} ${news.id} ${event} ${channel}`),
      at: news.at,
      subject,
      event,
      detail: detailOf(source),
      instanceId: source.run?.id ?? null,
    }, this.#context);
  }

  async #add(channel: string, draft: Draft): Promise<void> {
    const { subject, key } = this.#about;
    const { id, event, at, previousId, round, leftOut } = draft;
    const source = this.#sourceOf(draft);
    const collecting = await collectUntil(channel, { id, event, subject }, this.#context);
    if (collecting !== null) {
      const detail = [detailOf(source), leftOut ?? null].filter((text) => text !== null);
      return await collect(channel, collecting, {
        id,
        at,
        subject,
        event,
        instanceId: source.run?.id ?? null,
        detail: detail.length === 0 ? null : detail.join(". "),
      }, this.#context);
    }
    const notice = this.#noticeOf(draft, source);
    const argument: NoticeDelivery = {
      notice,
      memo: key,
      ...(previousId ? { previousId } : {}),
      ...(round === 0 ? {} : { round }),
      ...(leftOut ? { leftOut } : {}),
    };
    this.instances.push(newDelivery(channel, { id, dueAt: null, title: notice.title, argument }));
  }

  #noticeOf({ id, at }: Draft, source: NoticeSource): Notice {
    const { node, host } = this.#context;
    const { event, subject, run, incident, isReminder } = source;
    const title = titleOf(source);
    return {
      id,
      type: event,
      at,
      subject,
      host,
      node,
      isReminder,
      run,
      title,
      facts: factsOf(source).filter((fact) => !title.endsWith(`: ${fact}`)),
      incident: incident && noticeIncidentOf(incident),
      output: [],
      command: commandOf({ subject, run }),
      items: [],
    };
  }

  #sourceOf(
    { event, incident, isReminder, isWell = false, news }: Omit<Draft, "id" | "at" | "round">,
  ): NoticeSource {
    const { subject, runs } = this.#about;
    const instance = news?.instanceId ? runs.get(news.instanceId) ?? null : null;
    const run = instance && runOf(instance);
    const isEnd = news === null ||
      ["completed", "terminated", "timedOut", "well"].includes(news.event);
    const detail = isEnd ? incident?.lastError ?? null : news.detail;
    const now = this.#context.clock.now().wallMs;
    return { event, subject, run, incident, isReminder, isWell, detail, now };
  }
}

function runOf(instance: Instance): NoticeRun {
  const { id, state, reason, attempt, scheduleId, scheduledFor, dueAt, error, version, node } =
    instance;
  const { processedAt: startedAt, settledAt: finishedAt } = instance;
  const durationMs = startedAt === null || finishedAt === null ? null : finishedAt - startedAt;
  return {
    id,
    state,
    reason,
    attempt,
    scheduleId,
    scheduledFor,
    dueAt,
    startedAt,
    finishedAt,
    durationMs,
    error,
    version,
    node,
  };
}
