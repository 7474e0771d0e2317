import { Followers } from "../manager/instances/followers.ts";
import { follow, type FollowContext, type FollowOptions } from "../manager/instances/follow.ts";
import type { ExplainQuery, FollowStep, ReadApi, TickReport } from "../manager/api.ts";
import { explain } from "../manager/instances/explain.ts";
import { findInstance } from "../manager/instances/find_instance.ts";
import type { LiveFacts } from "../manager/instances/live_facts.ts";
import type { Instance } from "../core/instance.ts";
import type { Clock } from "../platform/clock.ts";
import { SqliteReader } from "../store/sqlite/reader.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  PageRequest,
} from "../store/store.ts";

/** The file, and what the reads need in addition to it. */
export interface DatabaseReadsOptions {
  /** Path of the file. */
  readonly path: string;
  readonly facts: LiveFacts;
  /** Subscribe to changes; returns a function that unsubscribes. */
  readonly subscribe: FollowContext["subscribe"];
  /** As in {@link FollowContext}. */
  readonly subscribed?: FollowContext["subscribed"];
  readonly clock: Clock;
}

/**
 * Reads the manager's SQLite file in this thread. Asks the manager only for facts that are not in
 * the file.
 */
export class DatabaseReads implements ReadApi {
  readonly #options: DatabaseReadsOptions;
  readonly #reader: SqliteReader;
  readonly #stopListeners = new Set<() => void>();
  readonly #followers = new Followers();
  #isOpen = false;
  #isClosed = false;

  constructor(options: DatabaseReadsOptions) {
    this.#options = options;
    const defer = (callback: () => void) => options.clock.defer(callback);
    this.#reader = new SqliteReader({ path: options.path, defer });
  }

  /** Close the file and end its followers; later reads fail with `unavailable`. */
  close(): void {
    this.#isClosed = true;
    this.#reader.close();
    for (const listener of [...this.#stopListeners]) listener();
  }

  /** Release memory that only speeds up reads; called when there are none. */
  rest(): void {
    this.#reader.rest();
  }

  /** The file, opened by the first read. */
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

  /** The kinds of all jobs, and all kinds that have instances. */
  kinds(): Promise<readonly string[]> {
    return this.#options.facts.kinds();
  }

  listPauses() {
    return this.#options.facts.listPauses();
  }

  /** Like `ManagerApi.follow`. */
  follow(query: LogTailQuery, options: FollowOptions): AsyncGenerator<FollowStep> {
    return follow(query, options, {
      store: this.#store,
      clock: this.#options.clock,
      get: (id) => this.getInstance(id),
      subscribe: this.#options.subscribe,
      subscribed: this.#options.subscribed,
      onStop: (listener) => {
        this.#stopListeners.add(listener);
        return () => void this.#stopListeners.delete(listener);
      },
      // Only one daemon owns the file.
      hasOthers: () => false,
      followers: this.#followers,
    });
  }
}
