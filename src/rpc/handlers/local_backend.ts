import type { ManagerApi } from "../../manager/api.ts";
import { scopedManager } from "../../manager/scoped_manager.ts";
import type { Backend, CallInfo, StreamName, StreamSignal } from "./backend.ts";
import { followSteps } from "./follow.ts";
import { createHandlers } from "./handlers.ts";
import { ScopedHandlers } from "./scoped_handlers.ts";
import { workSteps } from "./store_work.ts";

/** Completes calls with a manager in this thread. */
export class LocalBackend extends ScopedHandlers<ManagerApi> implements Backend<CallInfo> {
  constructor(manager: ManagerApi) {
    const limit = (jobs: readonly string[]) => scopedManager(manager, jobs);
    super({ api: manager, limit, handlersOf: createHandlers });
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    { signal, jobs, isJson }: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    const manager = this.apiFor(jobs);
    if (method === "follow") return followSteps(manager, request, { signal, isJson });
    return workSteps(manager, request, signal);
  }
}
