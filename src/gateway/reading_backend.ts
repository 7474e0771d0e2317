import type { ReadApi } from "../manager/api.ts";
import { ScopedQueries, scopedReads } from "../manager/scoped_reads.ts";
import type { ThreadMemory } from "../rpc/guard/thread_memory.ts";
import type {
  Backend,
  CallSignal,
  StreamName,
  StreamSignal,
  UnaryName,
} from "../rpc/handlers/backend.ts";
import { followSteps } from "../rpc/handlers/follow.ts";
import { readHandlers } from "../rpc/handlers/read_handlers.ts";
import { ScopedHandlers } from "../rpc/handlers/scoped_handlers.ts";
import type { DatabaseReads } from "./database_reads.ts";

/** Completes reads with the file in this thread, and passes all other calls to another backend. */
export class ReadingBackend implements Backend {
  readonly #reads: DatabaseReads;
  readonly #others: Backend;
  readonly #handlers: ScopedHandlers<ReadApi>;
  readonly #memory: ThreadMemory;

  constructor(reads: DatabaseReads, others: Backend, memory: ThreadMemory) {
    this.#memory = memory;
    this.#reads = reads;
    this.#others = others;
    this.#handlers = new ScopedHandlers<ReadApi>({
      api: reads,
      limit: (jobs) => scopedReads(new ScopedQueries({ reads, kinds: () => reads.kinds() }, jobs)),
      handlersOf: readHandlers,
    });
  }

  complete(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    if (!this.#handlers.has(method)) return this.#others.complete(method, request, call);
    return this.#handlers.complete(method, request, call)
      .finally(() => this.#memory.noteRead(() => this.#reads.rest()));
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    call: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    if (method !== "follow") return this.#others.stream(method, request, call);
    return followSteps(this.#handlers.apiFor(call.jobs), request, call.signal);
  }
}
