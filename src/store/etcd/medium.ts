import { hostPort } from "../../core/address.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import type { StoreTls } from "../../core/settings/store_config.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { loadClientTls } from "../../platform/network/tls.ts";
import type {
  MediumChange,
  MediumCommit,
  MediumImage,
  MediumListener,
  ReplicaMedium,
} from "../replica/medium.ts";
import { CommitLog, parseHead } from "./commit_log.ts";
import { EtcdCalls, type EtcdConnection } from "./calls.ts";
import { deleteOf, readOf, readTogether, runTransaction } from "./keys.ts";
import { Folding } from "./folding.ts";
import { Layout } from "./layout.ts";
import { loadImage } from "./load_image.ts";
import { LogWatch, type LogWatchOptions } from "./log_watch.ts";
import { Presence, type PresenceLimits } from "./presence.ts";
import { checkCluster } from "./start_checks.ts";

/** Most changes of one commit: with more, operations would wait for others' rows. */
const CHANGES_MAX = 4_000;
const CHARACTERS_MAX = 4_000_000;
/** Wait between two tries of an opening, in milliseconds. */
const START_RETRY_MS = 250;

/** Parts of an etcd medium. */
export interface EtcdMediumOptions {
  readonly connection: Omit<EtcdConnection, "tls">;
  /** Files of TLS, read at each opening; null for plaintext. */
  readonly tls: StoreTls | null;
  readonly prefix: string;
  /** Time for which opening waits for unreachable servers, in milliseconds; absent: one try. */
  readonly startWaitMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Parts extends LogWatchOptions {
  readonly folding: Folding;
}

/**
 * Rows of a replicated ledger in etcd. A commit is one key of a log, set together with the head
 * that it expects; the log is later folded into rows. All keys are below one prefix.
 */
export class EtcdMedium implements ReplicaMedium {
  readonly type = "etcd";
  readonly location: string;
  readonly isDurable = true;
  readonly changesMax = CHANGES_MAX;
  readonly charactersMax = CHARACTERS_MAX;
  readonly #options: EtcdMediumOptions;
  readonly #layout: Layout;
  readonly #watches = new Set<LogWatch>();
  #parts: Parts | null = null;

  constructor(options: EtcdMediumOptions) {
    const { connection, prefix } = options;
    this.#options = options;
    this.#layout = new Layout(prefix);
    const hosts = connection.endpoints.map(({ host, port }) => hostPort(host, port)).join(",");
    this.location = `etcd://${hosts} (${prefix}/)`;
  }

  get answerMs(): number {
    return this.#parts?.calls.slowMs ?? 0;
  }

  async open(): Promise<void> {
    const { connection, clock, random, logger, startWaitMs = 0 } = this.#options;
    const layout = this.#layout;
    const nowMs = clock.now().wallMs;
    const tls = this.#options.tls && await loadClientTls(this.#options.tls, { nowMs, logger });
    const calls = new EtcdCalls({ ...connection, tls }, clock);
    const endMs = clock.now().monotonicMs + startWaitMs;
    try {
      await calls.open();
      for (let isLogged = false;; isLogged = true) {
        try {
          await checkCluster(calls, layout, logger);
          break;
        } catch (error) {
          if (!isJobError(error, "unavailable") || clock.now().monotonicMs >= endMs) throw error;
          if (!isLogged) {
            logger.warn("etcd is unreachable; waiting for it", { error: error.message });
          }
          await sleep(clock, START_RETRY_MS);
        }
      }
    } catch (error) {
      calls.close();
      throw error;
    }
    const log = new CommitLog(calls, layout, random);
    const folding = new Folding({ calls, layout, clock, random, logger });
    this.#parts = { calls, layout, log, clock, logger, folding };
  }

  async load(): Promise<MediumImage> {
    const { folding, ...parts } = this.#opened("load");
    const noteLog = (commits: number, bytes: number) => folding.note(commits, bytes);
    return await loadImage({ ...parts, noteLog });
  }

  async version(): Promise<number> {
    const { calls, log, layout } = this.#opened("read the head");
    const since = log.head;
    const { ranges } = await readTogether(calls, "read the head", [readOf(layout.head)]);
    const head = parseHead(ranges[0]?.kvs ?? []);
    log.note(head, since);
    return head?.version ?? 0;
  }

  async commit(commit: MediumCommit, isWanted: () => boolean = () => true): Promise<boolean> {
    const { log, folding } = this.#opened("commit");
    const byteCount = await log.commit(commit, isWanted);
    if (byteCount === null) return false;
    const change = { version: commit.next, puts: commit.puts, deletes: commit.deletes };
    for (const watch of this.#watches) watch.reportOwn(change);
    folding.note(1, byteCount);
    return true;
  }

  watch(from: number, listener: MediumListener): () => void {
    const watch = new LogWatch(from, {
      changed: (change: MediumChange) => listener.changed(change),
      lost: (error) => {
        this.#watches.delete(watch);
        listener.lost(error);
      },
    }, this.#opened("watch"));
    this.#watches.add(watch);
    watch.start();
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  /** A node's key under its own lease, not yet written. */
  presenceOf(node: string, options: PresenceLimits): Presence {
    const { calls, layout, clock, logger } = this.#opened("join");
    return new Presence({ calls, layout, clock, logger, node, ...options });
  }

  /** Fold now. @returns the folded version; null without new commits or while another node folds */
  async fold(): Promise<number | null> {
    return await this.#opened("fold").folding.fold();
  }

  /** Delete every key of the store. */
  async drop(): Promise<void> {
    const { calls, layout } = this.#opened("drop");
    await runTransaction(calls, { action: "drop the store", success: layout.all.map(deleteOf) });
  }

  async close(): Promise<void> {
    const parts = this.#parts;
    if (parts === null) return;
    this.#parts = null;
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    await parts.folding.stop();
    parts.calls.close();
  }

  #opened(action: string): Parts {
    if (this.#parts) return this.#parts;
    throw new JobError("unavailable", `Cannot ${action}: ${this.location} is not open`);
  }
}
