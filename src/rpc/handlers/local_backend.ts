import type { ManagerApi } from "../../manager/api.ts";
import { scopedManager } from "../../manager/scoped_manager.ts";
import type { Backend, CallInfo, StreamName, StreamSignal, UnaryName } from "./backend.ts";
import { followSteps } from "./follow.ts";
import { createHandlers } from "./handlers.ts";
import { ScopedHandlers } from "./scoped_handlers.ts";
import { workSteps } from "./store_work.ts";

/** Completes calls with a manager in this thread. */
export class LocalBackend implements Backend<CallInfo> {
  readonly #handlers: ScopedHandlers<ManagerApi>;

  constructor(manager: ManagerApi) {
    this.#handlers = new ScopedHandlers({
      api: manager,
      limit: (jobs) => scopedManager(manager, jobs),
      handlersOf: createHandlers,
    });
  }

  complete(method: UnaryName, request: Uint8Array, call: CallInfo): Promise<Uint8Array> {
    return this.#handlers.complete(method, request, call);
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    { signal, jobs }: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    const manager = this.#handlers.apiFor(jobs);
    if (method === "follow") return followSteps(manager, request, signal);
    return workSteps(manager, request, signal);
  }
}
