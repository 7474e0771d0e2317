import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import type {
  MediumChange,
  MediumCommit,
  MediumImage,
  MediumListener,
  ReplicaMedium,
} from "../replica/medium.ts";
import { CommitLog, parseHead } from "./commit_log.ts";
import { EtcdCalls, type EtcdConnection } from "./etcd_calls.ts";
import { readOf, readTogether } from "./etcd_keys.ts";
import { Folding } from "./folding.ts";
import { Layout } from "./layout.ts";
import { loadImage } from "./load_image.ts";
import { LogWatch } from "./log_watch.ts";
import { checkCluster } from "./start_checks.ts";

/** Changes of one commit: with more of them an answer would wait for others' rows. */
const CHANGES_MAX = 4_000;
const CHARACTERS_MAX = 4_000_000;

/** What an etcd medium is made of. */
export interface EtcdMediumOptions {
  readonly connection: EtcdConnection;
  /** Begins all keys. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Rows of a replicated ledger in etcd: a commit is one key of a log, set together with the head that it expects; the log is folded
 * into rows afterwards. All keys are below one prefix.
 */
export class EtcdMedium implements ReplicaMedium {
  readonly type = "etcd";
  readonly location: string;
  readonly isDurable = true;
  readonly changesMax = CHANGES_MAX;
  readonly charactersMax = CHARACTERS_MAX;
  readonly #options: EtcdMediumOptions;
  readonly #layout: Layout;
  readonly #calls: EtcdCalls;
  readonly #log: CommitLog;
  readonly #folding: Folding;
  readonly #watches = new Set<LogWatch>();
  #isOpen = false;

  constructor(options: EtcdMediumOptions) {
    const { connection, prefix, clock, random, logger } = options;
    this.#options = options;
    this.#layout = new Layout(prefix);
    this.#calls = new EtcdCalls(connection, clock);
    this.#log = new CommitLog(this.#calls, this.#layout, random);
    this.#folding = new Folding({
      calls: this.#calls,
      layout: this.#layout,
      clock,
      random,
      logger,
    });
    const hosts = connection.endpoints.map(({ host, port }) => `${host}:${port}`).join(",");
    this.location = `etcd://${hosts} (${prefix}/)`;
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    await this.#calls.open();
    await checkCluster(this.#calls, this.#layout, this.#options.logger);
    this.#isOpen = true;
  }

  async load(): Promise<MediumImage> {
    const { version, pairs } = await loadImage({
      calls: this.#calls,
      layout: this.#layout,
      log: this.#log,
      noteLog: (commits, bytes) => this.#folding.note(commits, bytes),
    });
    return { version, pairs };
  }

  async version(): Promise<number> {
    const since = this.#log.head;
    const read = [readOf(this.#layout.head)];
    const { ranges } = await readTogether(this.#calls, "read the head", read);
    const head = parseHead(ranges[0]?.kvs ?? []);
    this.#log.note(head, since);
    return head?.version ?? 0;
  }

  async commit(commit: MediumCommit): Promise<boolean> {
    const byteCount = await this.#log.commit(commit);
    if (byteCount === null) return false;
    const change = { version: commit.next, puts: commit.puts, deletes: commit.deletes };
    for (const watch of this.#watches) watch.tellOwn(change);
    this.#folding.note(1, byteCount);
    return true;
  }

  watch(from: number, listener: MediumListener): () => void {
    const { clock, logger } = this.#options;
    const watch = new LogWatch(from, {
      changed: (change: MediumChange) => listener.changed(change),
      lost: (error) => {
        this.#watches.delete(watch);
        listener.lost(error);
      },
    }, { calls: this.#calls, layout: this.#layout, log: this.#log, clock, logger });
    this.#watches.add(watch);
    watch.start();
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  /** Fold the log now; answers up to which version, null when there is nothing to fold or another node is at it. */
  async fold(): Promise<number | null> {
    return await this.#folding.fold();
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    await this.#folding.stop();
    this.#calls.close();
    this.#isOpen = false;
  }
}
