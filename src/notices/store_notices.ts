import { type Backoff, backoffMs } from "../core/backoff.ts";
import { toJobError } from "../core/errors.ts";
import { type Incident, noticeIncidentOf } from "../core/notices/incident.ts";
import type { Notice, NoticeSubject } from "../core/notices/notice.ts";
import { factsOf, titleOf } from "../core/notices/notice_text.ts";
import { sleep } from "../platform/clock.ts";
import type { NoticeContext } from "./context/notice_context.ts";

/** Number of tries of a notice, and the waits between. */
const TRIES = 8;
const WAIT: Backoff = { firstMs: 5_000, longestMs: 300_000 };

/**
 * Notifies people of an unreachable store. Its notices stay in memory, since that store cannot take
 * them. They are tried a few times, and end with the daemon.
 */
export class StoreNotices {
  readonly #context: NoticeContext;
  #stopping = new AbortController();
  /** The incident; null while the store responds. */
  #incident: Incident | null = null;

  constructor(context: NoticeContext) {
    this.#context = context;
  }

  /** The store has been away for long. */
  away(problem: string): void {
    if (this.#incident !== null) return;
    const { ids, clock, node } = this.#context;
    const openedAt = clock.now().wallMs;
    this.#incident = {
      id: ids(),
      subject: { type: "store", name: node },
      events: ["store"],
      openedAt,
      closedAt: null,
      count: 1,
      lastAt: openedAt,
      lastError: problem,
      lastInstanceId: null,
      lastVersion: null,
      lastExitCode: null,
      acknowledgedBy: null,
      acknowledgedAt: null,
      notified: [],
    };
    this.#notify("store", this.#incident);
  }

  returned(): void {
    if (this.#incident === null) return;
    this.#notify("recovered", { ...this.#incident, closedAt: this.#context.clock.now().wallMs });
    this.#incident = null;
  }

  /** Give up undelivered notices. */
  stop(): void {
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#incident = null;
  }

  #notify(event: "store" | "recovered", incident: Incident): void {
    const { ids, clock, host, node, channels } = this.#context;
    const subject: NoticeSubject = incident.subject;
    const { lastError } = incident;
    const now = clock.now().wallMs;
    const source = {
      event,
      subject,
      incident,
      run: null,
      isReminder: false,
      detail: lastError,
      now,
    };
    const notice: Notice = {
      id: ids(),
      type: event,
      at: now,
      subject,
      host,
      node,
      isReminder: false,
      run: null,
      title: titleOf(source),
      facts: factsOf(source),
      command: "jobctl status",
      incident: noticeIncidentOf(incident),
      output: [],
      items: [],
    };
    for (const { settings: { name, rules } } of channels.values()) {
      const isWanted = rules.on.includes("store") && rules.on.includes(event);
      if (isWanted) void this.#deliver(name, notice, this.#stopping.signal);
    }
  }

  async #deliver(name: string, notice: Notice, signal: AbortSignal): Promise<void> {
    const { clock, logger, channels } = this.#context;
    for (let attempt = 1;; attempt++) {
      try {
        return await channels.get(name)?.deliver(notice, { attempt, signal });
      } catch (error) {
        if (signal.aborted) return;
        if (attempt === TRIES) {
          logger.error(`Cannot notify channel "${name}": ${toJobError(error, "failed").message}`);
          return;
        }
      }
      await sleep(clock, backoffMs(WAIT, attempt - 1), signal);
    }
  }
}
