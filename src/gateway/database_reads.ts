import { follow, type FollowContext, type FollowOptions } from "../manager/follow.ts";
import type { ExplainQuery, FollowStep, ReadApi, TickReport } from "../manager/api.ts";
import { explain } from "../manager/explain.ts";
import { findInstance } from "../manager/find_instance.ts";
import type { LiveFacts } from "../manager/live_facts.ts";
import type { Instance } from "../core/instance.ts";
import type { Clock } from "../platform/clock.ts";
import { SqliteReader } from "../store/sqlite/sqlite_reader.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  PageRequest,
} from "../store/store.ts";

/** What the reads need besides the file. */
export interface DatabaseReadsOptions {
  /** Path of the file. */
  readonly path: string;
  readonly facts: LiveFacts;
  /** Listen to changes; answers how to stop. */
  readonly subscribe: FollowContext["subscribe"];
  readonly clock: Clock;
}

/**
 * Reads the manager's SQLite file in this thread. Only what is not in the file is asked of the manager.
 */
export class DatabaseReads implements ReadApi {
  readonly #options: DatabaseReadsOptions;
  readonly #reader: SqliteReader;
  readonly #stopListeners = new Set<() => void>();
  readonly #followers = { count: 0 };
  #isOpen = false;
  #isClosed = false;

  constructor(options: DatabaseReadsOptions) {
    this.#options = options;
    const defer = (callback: () => void) => options.clock.defer(callback);
    this.#reader = new SqliteReader({ path: options.path, defer });
  }

  /** Close the file and end what follows it: whatever is asked from now on is `unavailable`. */
  close(): void {
    this.#isClosed = true;
    this.#reader.close();
    for (const listener of [...this.#stopListeners]) listener();
  }

  /** Nothing is read just now: give back memory that only makes reading faster. */
  rest(): void {
    this.#reader.rest();
  }

  /** The file, opened when it is first read. */
  get #store(): SqliteReader {
    if (!this.#isOpen && !this.#isClosed) {
      this.#reader.open();
      this.#isOpen = true;
    }
    return this.#reader;
  }

  lookupInstances(query: InstanceQuery, page: PageRequest) {
    return this.#store.list(query, page);
  }

  lookupInstanceHistory(query: HistoryQuery, page: PageRequest) {
    return this.#store.history(query, page);
  }

  lookupInstanceLogs(query: LogQuery, page: PageRequest) {
    return this.#store.logs(query, page);
  }

  getInstance(id: string): Promise<Instance> {
    return findInstance(id, this.#store);
  }

  listSchedules(query: { readonly kind?: string }, page: PageRequest) {
    return this.#store.listSchedules(query, page);
  }

  explain(query: ExplainQuery): Promise<readonly TickReport[]> {
    const { facts, clock } = this.#options;
    return explain(query, { store: this.#store, clock, facts });
  }

  blockOf(instance: Instance) {
    return this.#options.facts.blockOf(instance);
  }

  unservedKinds(kinds: Iterable<string>) {
    return this.#options.facts.unservedKinds(kinds);
  }

  /** The kinds of all jobs, and those that there are instances of. */
  kinds(): Promise<readonly string[]> {
    return this.#options.facts.kinds();
  }

  listPauses() {
    return this.#options.facts.listPauses();
  }

  /** As `ManagerApi.follow`. */
  follow(query: LogTailQuery, options: FollowOptions): AsyncGenerator<FollowStep> {
    return follow(query, options, {
      store: this.#store,
      clock: this.#options.clock,
      get: (id) => this.getInstance(id),
      subscribe: this.#options.subscribe,
      onStop: (listener) => {
        this.#stopListeners.add(listener);
        return () => void this.#stopListeners.delete(listener);
      },
      // One daemon owns the file.
      hasOthers: () => false,
      followers: this.#followers,
    });
  }
}
