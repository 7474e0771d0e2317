import type { ReadApi } from "../manager/api.ts";
import { findInstance } from "../manager/instances/find_instance.ts";
import { Followers } from "../manager/instances/followers.ts";
import { createReads } from "../manager/reads.ts";
import { ScopedQueries, scopedReads } from "../manager/scoped_reads.ts";
import type { Clock } from "../platform/clock.ts";
import type { ThreadMemory } from "../rpc/guard/thread_memory.ts";
import type {
  Backend,
  CallSignal,
  LocalReads,
  StreamName,
  StreamSignal,
  UnaryName,
} from "../rpc/backend.ts";
import { followSteps } from "../rpc/handlers/follow.ts";
import { readHandlers } from "../rpc/handlers/read_handlers.ts";
import { ScopedHandlers } from "../rpc/handlers/scoped_handlers.ts";
import { LazyWatch } from "../rpc/watch/lazy_watch.ts";
import { SqliteReader } from "../store/sqlite/reader.ts";
import type { RemoteBackend } from "./remote_backend.ts";

/** Options of {@link DatabaseBackend}. */
export interface DatabaseBackendOptions {
  readonly path: string;
  /** Completes all other calls, and has facts that the file lacks. */
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

  readonly reads: LocalReads = {
    has: (method) => this.#handlers.has(method),
    json: (...call) => this.#handlers.json(...call).finally(() => this.#noteRead()),
  };

  complete(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    const { remote } = this.#options;
    if (!this.#handlers.has(method)) return remote.complete(method, request, call);
    return this.#handlers.complete(method, request, call).finally(() => this.#noteRead());
  }

  #noteRead(): void {
    this.#options.memory.noteRead(() => this.#reader.rest());
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
    return createReads(() => ({
      store: this.#store,
      clock,
      facts: remote,
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
    }));
  }
}
