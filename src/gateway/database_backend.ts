import type { ReadApi } from "../manager/api.ts";
import { countUpTo } from "../manager/instances/count_up_to.ts";
import { findSchedule } from "../manager/schedules/stored_schedules.ts";
import { findInstance } from "../manager/instances/find_instance.ts";
import { follow } from "../manager/instances/follow.ts";
import { Followers } from "../manager/instances/followers.ts";
import { upcoming } from "../manager/instances/upcoming.ts";
import { lateReads } from "../manager/late_reads.ts";
import { ScopedQueries, scopedReads } from "../manager/scoped_reads.ts";
import type { Clock } from "../platform/clock.ts";
import type { ThreadMemory } from "../rpc/guard/thread_memory.ts";
import type { Backend, CallSignal, StreamName, StreamSignal, UnaryName } from "../rpc/backend.ts";
import { followSteps } from "../rpc/handlers/follow.ts";
import { readHandlers } from "../rpc/handlers/read_handlers.ts";
import { ScopedHandlers } from "../rpc/handlers/scoped_handlers.ts";
import { LazyWatch } from "../rpc/watch/lazy_watch.ts";
import { ITEMS_MAX } from "../rpc/limits.ts";
import { SqliteReader } from "../store/sqlite/reader.ts";
import type { RemoteBackend } from "./remote_backend.ts";

const FULL_PAGE = { limit: ITEMS_MAX };

/** Options of {@link DatabaseBackend}. */
export interface DatabaseBackendOptions {
  /** Path of the file. */
  readonly path: string;
  /** Completes all other calls, and has the facts that are not in the file. */
  readonly remote: RemoteBackend;
  readonly memory: ThreadMemory;
  readonly clock: Clock;
}

/** Completes reads with the manager's SQLite file, in this thread. */
export class DatabaseBackend implements Backend {
  readonly #options: DatabaseBackendOptions;
  readonly #reader: SqliteReader;
  readonly #handlers: ScopedHandlers<ReadApi>;
  readonly #stopListeners = new Set<() => void>();
  readonly #watch: LazyWatch;
  #isOpen = false;
  #isClosed = false;

  constructor(options: DatabaseBackendOptions) {
    this.#options = options;
    const { path, remote, clock } = options;
    this.#reader = new SqliteReader({ path, defer: (callback) => clock.defer(callback) });
    this.#watch = new LazyWatch({
      complete: (...call) => this.complete(...call),
      subscribe: (listener) => remote.watch(listener),
      subscribed: () => remote.watching(),
      clock,
    });
    const reads = this.#readApi();
    const kinds = () => remote.kinds();
    this.#handlers = new ScopedHandlers({
      api: reads,
      limit: (jobs) => scopedReads(new ScopedQueries(reads, kinds, jobs)),
      handlersOf: readHandlers,
    });
  }

  complete(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    const { remote, memory } = this.#options;
    if (!this.#handlers.has(method)) return remote.complete(method, request, call);
    return this.#handlers.complete(method, request, call)
      .finally(() => memory.noteRead(() => this.#reader.rest()));
  }

  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array> {
    if (method === "watch") return this.#watch.stream(request, call);
    if (method !== "follow") return this.#options.remote.stream(method, request, call);
    return followSteps(this.#handlers.apiFor(call.jobs), request, call);
  }

  /** Close the file and end its followers; later reads fail with `unavailable`. */
  close(): void {
    this.#isClosed = true;
    this.#reader.close();
    for (const listener of [...this.#stopListeners]) listener();
  }

  /** The file, opened by the first read. */
  get #store(): SqliteReader {
    if (!this.#isOpen && !this.#isClosed) {
      this.#reader.open();
      this.#isOpen = true;
    }
    return this.#reader;
  }

  #readApi(): ReadApi {
    const { remote, clock } = this.#options;
    const followers = new Followers();
    return {
      lookupInstances: (query, page = FULL_PAGE) => this.#store.list(query, page),
      countUpTo: async (query, max, action) => {
        if (action === undefined) return await countUpTo(this.#store, query, max);
        const { countAffected } = await import("../manager/instances/count_affected.ts");
        return await countAffected(this.#store, query, { action, max, ownKinds: remote.ownKinds });
      },
      jobStats: async (query) => {
        const { jobStats } = await import("../manager/instances/job_stats.ts");
        return await jobStats(this.#store, query);
      },
      upcoming: async (query) => upcoming(this.#store, query, await remote.listPauses()),
      lookupInstanceHistory: (query, page = FULL_PAGE) => this.#store.history(query, page),
      lookupInstanceLogs: (query, page = FULL_PAGE) => this.#store.logs(query, page),
      getInstance: (id, options) => findInstance(id, { ...options, store: this.#store, clock }),
      getSchedule: (id) => findSchedule(id, this.#store),
      listSchedules: (query, page) => this.#store.listSchedules(query, page),
      ...lateReads(() => ({ store: this.#store, clock, facts: remote })),
      blockOf: (instance) => remote.blockOf(instance),
      unservedKinds: (kinds) => remote.unservedKinds(kinds),
      processesOf: (ids) => remote.processesOf(ids),
      kindsOfTag: (...args) => remote.kindsOfTag(...args),
      listPauses: () => remote.listPauses(),
      follow: (query, options = {}) =>
        follow(query, options, {
          store: this.#store,
          clock,
          get: (id) => findInstance(id, { store: this.#store, clock }),
          subscribe: (listener) => remote.watch(listener),
          subscribed: () => remote.watching(),
          onStop: (listener) => {
            this.#stopListeners.add(listener);
            return () => void this.#stopListeners.delete(listener);
          },
          // Only one daemon owns the file.
          hasOthers: () => false,
          followers,
        }),
    };
  }
}
