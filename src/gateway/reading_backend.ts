import { throwScoped } from "../manager/scope.ts";
import { ScopedReads } from "../manager/scoped_reads.ts";
import { answerCall } from "../rpc/server/adapter.ts";
import type { Backend, CallSignal, StreamSignal, UnaryName } from "../rpc/handlers/backend.ts";
import { followSteps } from "../rpc/handlers/follow.ts";
import { JobService } from "../rpc/gen/job_pb.ts";
import type { Handlers, StreamName } from "../rpc/handlers/handlers.ts";
import { readHandlers } from "../rpc/handlers/read_handlers.ts";
import { ScopedViews } from "../rpc/handlers/scoped_views.ts";
import type { ThreadMemory } from "../rpc/guard/thread_memory.ts";
import type { DatabaseReads } from "./database_reads.ts";

/** The reads and their handlers for one list of jobs. */
interface ScopedView {
  readonly reads: ScopedReads;
  readonly handlers: Partial<Handlers>;
}

/** Answers reads from the file in this thread, and passes everything else to another backend. */
export class ReadingBackend implements Backend {
  readonly #reads: DatabaseReads;
  readonly #others: Backend;
  readonly #handlers: Partial<Handlers>;
  readonly #scoped: ScopedViews<ScopedView>;
  readonly #memory: ThreadMemory;

  constructor(reads: DatabaseReads, others: Backend, memory: ThreadMemory) {
    this.#memory = memory;
    this.#reads = reads;
    this.#others = others;
    this.#handlers = readHandlers(reads);
    this.#scoped = new ScopedViews((jobs) => {
      const scoped = new ScopedReads({ reads, kinds: () => reads.kinds() }, jobs);
      return { reads: scoped, handlers: readHandlers(scoped) };
    });
  }

  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    if (!Object.hasOwn(this.#handlers, method)) {
      return this.#others.answer(method, request, call);
    }
    const description = JobService.method[method];
    const handlers = call.jobs === null ? this.#handlers : this.#scoped.of(call.jobs).handlers;
    const answer = answerCall(description, handlers, request, () => call.isCanceled());
    const told = call.jobs === null ? answer : answer.catch(throwScoped);
    return told.finally(() => this.#memory.noteRead(() => this.#reads.rest()));
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    call: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    if (method !== "follow") return this.#others.stream(method, request, call);
    const reads = call.jobs === null ? this.#reads : this.#scoped.of(call.jobs).reads;
    return followSteps(reads, request, call.signal);
  }

  isServing(): Promise<boolean> {
    return this.#others.isServing();
  }
}
