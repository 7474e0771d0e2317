import type { ManagerApi } from "../../manager/api.ts";
import { scopedManager } from "../../manager/scoped_manager.ts";
import { type Clock, systemClock } from "../../platform/clock.ts";
import { LazyWatch } from "../watch/lazy_watch.ts";
import type { Backend, CallInfo, StreamName, StreamSignal } from "../backend.ts";
import { followSteps } from "./follow.ts";
import { createHandlers } from "./handlers.ts";
import { ScopedHandlers } from "./scoped_handlers.ts";
import { workSteps } from "./store_work.ts";

/** Completes calls with a manager in this thread. */
export class LocalBackend extends ScopedHandlers<ManagerApi> implements Backend<CallInfo> {
  readonly #watch: LazyWatch;

  constructor(manager: ManagerApi, clock: Clock = systemClock) {
    const limit = (jobs: readonly string[]) => scopedManager(manager, jobs);
    super({ api: manager, limit, handlersOf: createHandlers });
    this.#watch = new LazyWatch({
      complete: (...call) => this.complete(...call),
      subscribe: (listener) => manager.subscribe(listener),
      clock,
    });
  }

  stream(
    method: StreamName,
    request: Uint8Array,
    call: StreamSignal,
  ): AsyncIterable<Uint8Array> {
    if (method === "watch") return this.#watch.stream(request, call);
    const { signal, jobs, isJson } = call;
    const manager = this.apiFor(jobs);
    if (method === "follow") return followSteps(manager, request, { signal, isJson });
    return workSteps(manager, request, signal);
  }
}
