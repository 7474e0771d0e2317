import type { ManagerApi } from "../manager/api.ts";
import { answerCall, decodeRequest, encodeAnswer } from "./adapter.ts";
import type { Backend, CallSignal, UnaryName } from "./backend.ts";
import { followSteps } from "./follow.ts";
import { JobService, WorkOnStoreRequestSchema, WorkOnStoreResponseSchema } from "./gen/job_pb.ts";
import { createHandlers, type Handlers, type StreamName } from "./handlers.ts";
import { readWork, workStepToWire } from "./store_work.ts";

/** Answers calls with a manager in this thread. */
export class LocalBackend implements Backend {
  readonly #manager: ManagerApi;
  readonly #handlers: Handlers;

  constructor(manager: ManagerApi) {
    this.#manager = manager;
    this.#handlers = createHandlers(manager);
  }

  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    const description = JobService.method[method];
    return answerCall(description, this.#handlers, request, () => call.isCanceled());
  }

  stream(method: StreamName, request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
    if (method === "follow") return followSteps(this.#manager, request, signal);
    return this.#workOnStore(request, signal);
  }

  async isServing(): Promise<boolean> {
    try {
      const { isDraining, storeProblem } = await this.#manager.status();
      return !isDraining && storeProblem === null;
    } catch {
      return false;
    }
  }

  async *#workOnStore(request: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const work = readWork(decodeRequest(WorkOnStoreRequestSchema, request));
    for await (const step of this.#manager.workOnStore(work, { signal })) {
      yield encodeAnswer(WorkOnStoreResponseSchema, workStepToWire(step));
    }
  }
}
