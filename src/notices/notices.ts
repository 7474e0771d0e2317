import { encodeError } from "../core/arguments/encode.ts";
import { isJobError, JobError, messageOf } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { NoticePreview, TestOptions } from "../core/notices/incident.ts";
import type { Notice, NoticeEvent, NoticeSubject } from "../core/notices/notice.ts";
import { memoKeyOf, readSubject } from "../core/notices/subject_state.ts";
import { countText } from "../core/text/count_text.ts";
import { didYouMean } from "../core/text/nearest.ts";
import { JOB_MEMO, type Memo, type News } from "../store/store.ts";
import { deliverSilenced } from "./deliveries/collected.ts";
import { deliver } from "./deliveries/deliver.ts";
import { FloodGate } from "./context/flood_gate.ts";
import { GoneIncidents, isGone, liveNodes } from "./incidents/gone_incidents.ts";
import { isWanted } from "./incidents/subject_channels.ts";
import { processNews } from "./incidents/process_news.ts";
import { memosOf, readMemo } from "./context/memos.ts";
import { forgetWatchers, recordWatcher } from "./watchers.ts";
import { sampleNotice, TEST_FACT } from "./sample_notice.ts";
import { StoreNotices } from "./store_notices.ts";
import type { Channel, DeliveryContext } from "./channels/channel.ts";
import type { NoticeContext } from "./context/notice_context.ts";
import { channelOfKind, newNewsTask, noticeJobs, readNewsTask } from "./context/notice_kinds.ts";

/** Longest time of a test, in milliseconds. */
const TEST_MS_MAX = 60_000;

/** Number of failed attempts of one delivery after which its channel counts as failed. */
const FAILED_ATTEMPTS = 5;
/** A channel whose server requests this wait counts as failed at once, in milliseconds. */
const FAILED_WAIT_MS = 600_000;

/** The end of an attempt of a system job of notices. */
export type NoticeOutcome =
  | { readonly type: "ok"; readonly resultsJson: string }
  | { readonly type: "snooze"; readonly delayMs: number }
  | {
    readonly type: "error";
    readonly error: ReturnType<typeof encodeError>;
    readonly wish?: number | "never";
  };

/** Dependencies of {@link Notices}. */
export interface NoticesOptions extends Omit<NoticeContext, "channels" | "flood"> {
  readonly channels: readonly Channel[];
  /** True if some job has expectations, so that its incidents are of interest without channels. */
  readonly hasExpectations: () => boolean;
}

/**
 * Notifies people of failures, silence and recovery: processes the store's news, keeps the
 * incidents, and delivers the notices.
 */
export class Notices {
  readonly #options: NoticesOptions;
  #channels: ReadonlyMap<string, Channel>;
  readonly #context: NoticeContext;
  readonly #gone: GoneIncidents;
  /** Asked at the end of every attempt that wrote something. */
  #hasOutputChannel: boolean;
  /** Notifies people of an unreachable store, without using it. */
  readonly store: StoreNotices;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#channels = byName(options.channels);
    this.#hasOutputChannel = hasOutputChannel(options.channels);
    const channels = () => this.#channels;
    this.#context = {
      ...options,
      flood: new FloodGate(options.clock),
      get channels() {
        return channels();
      },
    };
    this.store = new StoreNotices(this.#context);
    this.#gone = new GoneIncidents(this.#context);
  }

  /** True if there is a channel, or a job with expectations. */
  get isActive(): boolean {
    return this.#channels.size > 0 || this.#options.hasExpectations();
  }

  /** True if some channel wants the output of a job. */
  isOutputWanted(kind: string): boolean {
    return this.#hasOutputChannel && isWanted("output", kind, this.#context);
  }

  /** The system jobs of notices, for the current channels; none unless active. */
  jobs(): readonly JobDefinition[] {
    if (!this.isActive) return [];
    return noticeJobs(this.#channels.keys(), this.#options.clock.now().wallMs);
  }

  /** Request news from the store, if wanted, and process waiting ones. */
  async start(): Promise<void> {
    await recordWatcher(this.isActive, this.#options);
    if (!this.isActive) return this.#gone.stop();
    this.#gone.start();
    await forgetWatchers(this.#options);
    await this.#resume();
  }

  stop(): void {
    this.#gone.stop();
    this.store.stop();
  }

  /** Use other channels; call {@link start} after it. */
  use(channels: readonly Channel[]): void {
    this.#channels = byName(channels);
    this.#hasOutputChannel = hasOutputChannel(channels);
  }

  /** Run an instance of one of the {@link jobs}; never rejects. */
  async run(
    instance: Instance,
    how: Pick<DeliveryContext, "signal" | "log">,
  ): Promise<NoticeOutcome> {
    try {
      if (channelOfKind(instance.kind) === null) {
        const task = readNewsTask(instance.argumentsJson);
        if (task) await processNews(task, this.#context);
      } else {
        const result = await deliver(instance, how, this.#context);
        if (result.type === "later") return { type: "snooze", delayMs: result.delayMs };
      }
      return { type: "ok", resultsJson: "[]" };
    } catch (thrown) {
      const error = encodeError(thrown);
      const { retryAfterMs, isPermanent } = thrown as {
        readonly retryAfterMs?: number;
        readonly isPermanent?: boolean;
      };
      if (isPermanent) return { type: "error", error, wish: "never" };
      await this.#reportUndelivered(instance, messageOf(thrown), retryAfterMs ?? 0);
      return {
        type: "error",
        error,
        ...(retryAfterMs === undefined ? {} : { wish: retryAfterMs }),
      };
    }
  }

  /**
   * Report an event of a subject other than the end of an instance. The same id counts once.
   *
   * @param news its detail is null if the event is over, which ends an incident that has no other
   * event
   */
  async report(
    subject: NoticeSubject,
    news: {
      readonly id: string;
      readonly event: NoticeEvent;
      readonly detail: string | null;
    },
  ): Promise<void> {
    if (!this.isActive) return;
    const key = memoKeyOf(subject);
    if (news.detail === null) {
      const memo = await readMemo(key, this.#options);
      if (memo === null || !isOpen(memo, news.event)) return;
    }
    const added = news.detail === null ? { id: news.id, event: "well", detail: news.event } : news;
    await this.#addNews(key, added);
  }

  /** Report the kinds that are configured but not loaded, loaded again, or no longer configured. */
  async reportDisabled(disabled: ReadonlyMap<string, string>): Promise<void> {
    if (!this.isActive) return;
    const event = "disabled" as const;
    const report = (name: string, detail: string | null) =>
      this.report({ type: "job", name }, { id: this.#options.ids(), event, detail });
    const open = new Set<string>();
    for await (const memo of memosOf(JOB_MEMO, this.#options)) {
      if (!isOpen(memo, event)) continue;
      const name = memo.key.slice(JOB_MEMO.length);
      if (disabled.has(name)) open.add(name);
      else if (!await this.#isRemoved(memo.key)) await report(name, null);
      else {await this.#addNews(memo.key, {
          id: this.#options.ids(),
          event: "removed",
          detail: null,
        });}
    }
    for (const [name, detail] of disabled) {
      if (open.has(name)) continue;
      await report(name, detail);
    }
  }

  /** True if neither this nor another live node has the job of a memo. */
  async #isRemoved(key: string): Promise<boolean> {
    const { nodes, now } = await liveNodes(this.#context);
    // Our record lacks its current kinds until the next report.
    const others = nodes.filter(({ id }) => id !== this.#options.node);
    return isGone(key, { nodes: others, now }, this.#context);
  }

  /**
   * Send a notice that shows that a channel works, or a sample notice of an event. The result
   * reports a failed delivery.
   *
   * @throws JobError `not_found` for an unknown channel
   */
  async test(name: string, { isDryRun, event }: TestOptions): Promise<NoticePreview> {
    const channel = this.#channels.get(name);
    if (!channel) {
      const known = [...this.#channels.keys()].join(", ");
      throw new JobError("not_found", `Cannot test channel "${name}": no such channel`, {
        path: "channel",
        hint: known === ""
          ? `Add [notices.${name}] to the configuration`
          : didYouMean(name, this.#channels.keys()) ?? `Known channels: ${known}`,
      });
    }
    const notice = event === undefined
      ? this.#testNotice(name)
      : this.#sampleNotice(event, channel.settings);
    const text = await channel.preview(notice);
    if (isDryRun) return { channel: name, text, isSent: false };
    const abort = new AbortController();
    const timer = this.#options.clock.timer(TEST_MS_MAX, () => abort.abort());
    const answers: string[] = [];
    const problems: string[] = [];
    const log: DeliveryContext["log"] = (level, line) => {
      (level === "warn" || level === "error" ? problems : answers).push(line);
    };
    const said = () => ({
      ...(answers.length > 0 ? { answer: answers.join("; ") } : {}),
      ...(problems.length > 0 ? { problem: problems.join("; ") } : {}),
    });
    try {
      await channel.deliver(notice, { attempt: 1, signal: abort.signal, log });
      return { channel: name, text, isSent: true, ...said() };
    } catch (error) {
      problems.push(messageOf(error));
      const hint = isJobError(error) ? error.hint : undefined;
      return { channel: name, text, isSent: false, ...said(), ...(hint ? { hint } : {}) };
    } finally {
      timer.cancel();
    }
  }

  /** Deliver notices that silences have collected for a later time; called when one ends early. */
  async silenceEnds(at: number): Promise<void> {
    await deliverSilenced(at, this.#context);
  }

  /** The channels, in the order of the configuration. */
  get channels(): readonly Channel[] {
    return [...this.#channels.values()];
  }

  /**
   * Report a channel with repeated delivery failures, so that the others report it long before the
   * delivery is given up. The memo of the deliveries has the incident; their next success ends it.
   */
  async #reportUndelivered(
    { id, kind, failures }: Instance,
    problem: string,
    waitMs: number,
  ): Promise<void> {
    const failed = failures + 1;
    if (channelOfKind(kind) === null) return;
    if (failed < FAILED_ATTEMPTS && waitMs < FAILED_WAIT_MS) return;
    try {
      const memo = await readMemo(JOB_MEMO + kind, this.#options);
      if (memo !== null && isOpen(memo, "failed")) return;
      const tries = countText(failed, "attempt");
      const detail = `a notice was not delivered after ${tries}: ${problem}`;
      await this.#addNews(JOB_MEMO + kind, { id: `undelivered:${id}`, event: "failed", detail });
    } catch (error) {
      // The next attempt reports it.
      this.#options.logger.warn(`Cannot report that deliveries of "${kind}" fail`, {
        error: messageOf(error),
      });
    }
  }

  async #addNews(key: string, news: Pick<News, "id" | "event" | "detail">): Promise<void> {
    const { store, clock, ids } = this.#options;
    const at = clock.now();
    await store.addNews({
      at,
      key,
      noticeId: ids(),
      news: [{ ...news, at: at.wallMs, instanceId: null }],
    });
  }

  #testNotice(name: string): Notice {
    const { ids, clock, host, node } = this.#options;
    return {
      id: ids(),
      type: "test",
      at: clock.now().wallMs,
      host,
      node,
      subject: { type: "channel", name },
      title: `Test of channel ${name}`,
      facts: [TEST_FACT],
      isReminder: false,
      run: null,
      incident: null,
      output: [],
      command: null,
      items: [],
    };
  }

  #sampleNotice(event: NoticeEvent, settings: Channel["settings"]): Notice {
    const { ids, clock, host, node } = this.#options;
    return sampleNotice(event, { id: ids(), now: clock.now().wallMs, host, node, settings });
  }

  /** Process news without an instance, as after a restore, and check jobs that nobody watched. */
  async #resume(): Promise<void> {
    const { store, clock, ids } = this.#options;
    for await (const { key, watch, version, news, droppedNews } of memosOf("", this.#options)) {
      const at = clock.now();
      if (news.length + droppedNews > 0) {
        const instances = [newNewsTask({ key, reminder: null }, ids(), null)];
        await store.enqueue({ at, instances });
      } else if (watch === "never" && key.startsWith(JOB_MEMO)) {
        const deleted = { at, key, expectedVersion: version, value: null };
        // A node that changed it meanwhile has looked at it.
        await store.putMemo({ ...deleted, isProcessed: true, instances: [] }).catch(() => {});
      }
    }
  }
}

/** True if an event of a memo's subject is not known to be over. */
function isOpen({ data, news }: Memo, event: NoticeEvent): boolean {
  const { incident } = readSubject(data);
  const isIn = incident?.closedAt === null && incident.events.includes(event);
  return isIn || news.some((one) => one.event === event);
}

function byName(channels: readonly Channel[]): ReadonlyMap<string, Channel> {
  return new Map(channels.map((channel) => [channel.settings.name, channel]));
}

function hasOutputChannel(channels: readonly Channel[]): boolean {
  return channels.some(({ settings: { rules } }) => rules.on.includes("output"));
}
