import type { Broken } from "../../core/notices/expectations.ts";
import { toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { IdSource } from "../../platform/ids.ts";
import type { Logger } from "../../platform/logger.ts";
import { JOB_MEMO, type News, type Store } from "../../store/store.ts";

/** Most ids of news that are remembered. */
const SENT_MAX = 10_000;

/** Dependencies of a {@link NewsSender}. */
export interface NewsContext {
  readonly store: Pick<Store, "addNews">;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/** An expectation that a run does not meet, or a job without a run. */
export interface BrokenNews {
  readonly broken: Broken;
  readonly instanceId: string | null;
  /** Distinguishes it from other news about the job without an instance. */
  readonly since?: number | null;
  readonly detail: string;
}

/** The id of news, which is the same on every node and after a restart. */
function newsIdOf({ broken, instanceId, since }: Omit<BrokenNews, "detail">): string {
  return instanceId === null
    ? `${broken.event}:${broken.rule}:${since ?? "never"}`
    : `${broken.event}:${instanceId}`;
}

/** Adds news of expectations to the memos of their jobs, each once while this process lives. */
export class NewsSender {
  readonly #context: NewsContext;
  readonly #sent = new Set<string>();

  constructor(context: NewsContext) {
    this.#context = context;
  }

  /** True if this process sent news about a run. */
  isSent(kind: string, event: Broken["event"], instanceId: string): boolean {
    return this.#sent.has(keyOf(kind, `${event}:${instanceId}`));
  }

  /** Send news of one job, except repeats. Failed ones may be sent again. */
  async send(kind: string, all: readonly BrokenNews[]): Promise<void> {
    const { store, clock, ids, logger } = this.#context;
    const at = clock.now();
    const news: News[] = [];
    for (const { broken, instanceId, since, detail } of all) {
      const id = newsIdOf({ broken, instanceId, since });
      if (this.#sent.has(keyOf(kind, id))) continue;
      this.#remember(keyOf(kind, id));
      news.push({ id, event: broken.event, at: at.wallMs, instanceId, detail });
    }
    if (news.length === 0) return;
    try {
      await store.addNews({ at, key: JOB_MEMO + kind, news, noticeId: ids() });
    } catch (error) {
      for (const { id } of news) this.#sent.delete(keyOf(kind, id));
      logger.warn(`Cannot report that job "${kind}" does not meet its expectations`, {
        error: toJobError(error, "Cannot write").message,
      });
    }
  }

  #remember(key: string): void {
    if (this.#sent.size >= SENT_MAX) this.#sent.delete(this.#sent.values().next().value!);
    this.#sent.add(key);
  }
}

function keyOf(kind: string, id: string): string {
  return `${id} ${kind}`;
}
