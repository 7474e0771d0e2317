import { answerCall } from "../rpc/adapter.ts";
import type { Backend, CallSignal, UnaryName } from "../rpc/backend.ts";
import { followSteps } from "../rpc/follow.ts";
import { JobService } from "../rpc/gen/job_pb.ts";
import type { Handlers, StreamName } from "../rpc/handlers.ts";
import { READ_METHODS, readHandlers } from "../rpc/read_handlers.ts";
import type { DatabaseReads } from "./database_reads.ts";

/** Answers reads from the file, in this thread, and leaves everything else to another backend. */
export class ReadingBackend implements Backend {
  readonly #reads: DatabaseReads;
  readonly #others: Backend;
  readonly #handlers: Partial<Handlers>;

  constructor(reads: DatabaseReads, others: Backend) {
    this.#reads = reads;
    this.#others = others;
    this.#handlers = readHandlers(reads);
  }

  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    if (!READ_METHODS.some((name) => name === method)) {
      return this.#others.answer(method, request, call);
    }
    const description = JobService.method[method];
    return answerCall(description, this.#handlers, request, () => call.isCanceled());
  }

  stream(method: StreamName, request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
    if (method === "follow") return followSteps(this.#reads, request, signal);
    return this.#others.stream(method, request, signal);
  }

  isServing(): Promise<boolean> {
    return this.#others.isServing();
  }
}
