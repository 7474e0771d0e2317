import type { ManagerApi } from "../../manager/api.ts";
import { throwScoped } from "../../manager/scope.ts";
import { ScopedManager } from "../../manager/scoped_manager.ts";
import { answerCall, decodeRequest, encodeAnswer } from "../server/adapter.ts";
import type { Backend, CallInfo, StreamSignal, UnaryName } from "./backend.ts";
import { followSteps } from "./follow.ts";
import { JobService, WorkOnStoreRequestSchema, WorkOnStoreResponseSchema } from "../gen/job_pb.ts";
import { createHandlers, type Handlers, type StreamName } from "./handlers.ts";
import { ScopedViews } from "./scoped_views.ts";
import { readWork, workStepToWire } from "./store_work.ts";

/** Answers calls through a manager in this thread. */
export class LocalBackend implements Backend<CallInfo> {
  readonly #manager: ManagerApi;
  readonly #handlers: Handlers;
  readonly #scoped: ScopedViews<ScopedView>;

  constructor(manager: ManagerApi) {
    this.#manager = manager;
    this.#handlers = createHandlers(manager);
    this.#scoped = new ScopedViews((jobs) => {
      const scoped = new ScopedManager(manager, jobs);
      return { manager: scoped, handlers: createHandlers(scoped) };
    });
  }

  answer(method: UnaryName, request: Uint8Array, call: CallInfo): Promise<Uint8Array> {
    const description = JobService.method[method];
    const isCanceled = () => call.isCanceled();
    if (call.jobs === null) return answerCall(description, this.#handlers, request, isCanceled);
    const { handlers } = this.#scoped.of(call.jobs);
    return answerCall(description, handlers, request, isCanceled).catch(throwScoped);
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    { signal, jobs }: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    const manager = jobs === null ? this.#manager : this.#scoped.of(jobs).manager;
    if (method === "follow") return followSteps(manager, request, signal);
    return workOnStore(manager, request, signal);
  }

  async isServing(): Promise<boolean> {
    try {
      const { isDraining, storeProblem } = await this.#manager.status();
      return !isDraining && storeProblem === null;
    } catch {
      return false;
    }
  }
}

/** The manager and its handlers for one list of jobs. */
interface ScopedView {
  readonly manager: ManagerApi;
  readonly handlers: Handlers;
}

async function* workOnStore(
  manager: ManagerApi,
  request: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const work = readWork(decodeRequest(WorkOnStoreRequestSchema, request));
  for await (const step of manager.workOnStore(work, { signal })) {
    yield encodeAnswer(WorkOnStoreResponseSchema, workStepToWire(step));
  }
}
