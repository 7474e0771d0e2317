import type { Instance, LogEntry, Progress, Reason } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { isDeadState, isFinal } from "../../core/state.ts";
import { BurstLog } from "../../platform/burst_log.ts";
import { sleep } from "../../platform/clock.ts";
import type { LogFields } from "../../platform/logger.ts";
import type { HandlerCall } from "../../worker/executor.ts";
import { InstanceHandlers, withHandlers } from "./instance_handlers.ts";
import type { Registry } from "./registry.ts";
import type { Context } from "./context.ts";
import type { ManagerEvent } from "../api/instances.ts";

/** Most characters of an error's message in a line of the daemon's log. */
const MESSAGE_CHARS = 500;

/** Reasons of an attempt that did not fail. */
const GOOD: ReadonlySet<Reason | null> = new Set<Reason | null>([
  null,
  "ok",
  "snoozed",
  "parked",
  "canceling",
  "released",
  "canceled",
  "replaced",
]);

interface EventsOptions extends Pick<Context, "store" | "executor" | "clock" | "logger"> {
  readonly registry: Registry;
  readonly shownKind?: string | undefined;
}

/** The calls of handlers of one instance. */
interface HandlerCalls {
  /** Resolves when the last handler has ended, and its lines are sent to the store. */
  readonly handled: Promise<void>;
  /** Resolves when its lines are written, too. */
  readonly written: Promise<void>;
}

/**
 * Reports commits to listeners and to the jobs' own handlers, in order for each instance. Failed
 * attempts and dead letters are also in the daemon's log, one line each.
 */
export class Events {
  /** The handlers of single instances. */
  readonly handlers: InstanceHandlers;
  readonly #listeners = new Set<(event: ManagerEvent) => void>();
  readonly #calls = new Map<string, HandlerCalls>();
  readonly #options: EventsOptions;
  readonly #failures: BurstLog;

  constructor(options: EventsOptions) {
    this.#options = options;
    const { logger, clock } = options;
    this.handlers = new InstanceHandlers(logger);
    const hint = "jobctl list instances --state terminated";
    this.#failures = new BurstLog(logger, clock, "failures", hint);
  }

  /** Subscribe; returns a function that unsubscribes. A listener's error is logged; it stays. */
  subscribe(listener: (event: ManagerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: ManagerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.logger.error("An event listener failed", { error: String(error) });
      }
    }
  }

  /** A change of state was committed; `isByStore` if no attempt or caller made it. */
  changed(instance: Instance, at: number, isByStore = false): void {
    const { id, state } = instance;
    if (this.#listeners.size > 0) this.emit({ type: "state", instance, state, at });
    const job = this.jobOf(instance);
    if (job?.hasHandler.onStateChange) this.#call(instance, { type: "stateChange", state });
    if (isByStore && isDeadState(state) && job?.hasHandler.onTerminate) {
      const error = instance.error ?? { name: "Error", message: instance.reason ?? state };
      this.#call(instance, { type: "terminate", error });
    }
    // The last change: its own handlers have been called.
    if (isFinal(state)) this.handlers.delete(id);
  }

  /** The job of an instance, with the instance's own handlers. */
  jobOf(instance: Instance): JobDefinition | undefined {
    const job = this.#options.registry.find(instance.kind);
    return job && withHandlers(job, this.handlers.of(instance));
  }

  /** An attempt of this node was settled. */
  attempted(instance: Instance, durationMs: number): void {
    this.emit({ type: "attempt", instance, durationMs, outcome: instance.state });
    if (GOOD.has(instance.reason) || this.#isShown(instance)) return;
    this.#failures.tell("warn", "An attempt failed", {
      ...fieldsOf(instance),
      durationMs: Math.round(durationMs),
      next: instance.state === "scheduled" ? new Date(instance.dueAt).toISOString() : undefined,
    });
    this.#logDead(instance);
  }

  #logDead(instance: Instance): void {
    if (!isDeadState(instance.state) || this.#isShown(instance)) return;
    const { failures, crashes } = instance;
    const fields = { ...fieldsOf(instance), failures, crashes };
    this.#failures.tell("error", "An instance failed for good", fields);
  }

  #isShown({ kind, state }: Instance): boolean {
    return kind === this.#options.shownKind && isDeadState(state);
  }

  /** The store ended an instance. Its `onTerminate` is called, but cannot change the outcome. */
  failed(instance: Instance, at: number): void {
    this.#logDead(instance);
    this.changed(instance, at, true);
  }

  /** Lines of an instance's log were committed. */
  logged(instance: Instance, entries: readonly LogEntry[], at: number): void {
    if (this.#listeners.size === 0 || entries.length === 0) return;
    this.emit({ type: "log", instance, entries, at });
  }

  /** Progress of an instance was committed. */
  progressed(instance: Instance, progress: Progress, at: number): void {
    if (this.#listeners.size > 0) this.emit({ type: "progress", instance, progress, at });
  }

  /** Resolves when every handler called until now has ended and its lines are written. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#calls.values()].map((calls) => calls.written));
  }

  /** Like {@link quiet}, but for at most `limitMs`: job code may never end. */
  async settled(limitMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    const { clock, logger } = this.#options;
    const quiet = new AbortController();
    void this.quiet().then(() => quiet.abort());
    await sleep(clock, limitMs, quiet.signal);
    if (quiet.signal.aborted) return;
    logger.warn("Handlers did not end", { instances: this.#calls.size });
    this.#calls.clear();
  }

  /** Resolves when the instance's handlers called until now have ended; null if none runs. */
  handled(id: string): Promise<void> | null {
    return this.#calls.get(id)?.handled ?? null;
  }

  // Call handlers of one instance one by one, so that they see its states in order.
  #call(instance: Instance, call: HandlerCall): void {
    const before = this.#calls.get(instance.id);
    const own = this.handlers.of(instance);
    let writing: Promise<void> | null = null;
    const run = async () => {
      const found = this.#options.registry.find(instance.kind);
      if (!found) return;
      const job = withHandlers(found, own);
      const lines: LogEntry[] = [];
      const log = (entries: readonly LogEntry[]) => void lines.push(...entries);
      await this.#options.executor.handle({ job, instance, call, log });
      // The store keeps the order of requests, so there is no need to wait for its response.
      if (lines.length > 0) writing = this.#writeLines(instance, call, lines);
    };
    const handled = (before?.handled ?? Promise.resolve()).then(run).catch((error: unknown) => {
      this.#lost(instance, call, error);
    });
    const calls: HandlerCalls = {
      handled,
      written: Promise.all([before?.written, handled.then(() => writing)]).then(() => {
        if (this.#calls.get(instance.id) === calls) this.#calls.delete(instance.id);
      }),
    };
    this.#calls.set(instance.id, calls);
  }

  // The claim has ended with the commit, so the lines are written without one.
  async #writeLines(
    instance: Instance,
    call: HandlerCall,
    logs: readonly LogEntry[],
  ): Promise<void> {
    const { store, clock } = this.#options;
    try {
      await store.appendLogs({ at: clock.now(), appends: [{ id: instance.id, fence: 0, logs }] });
    } catch (error) {
      this.#lost(instance, call, error);
    }
  }

  #lost({ kind, id }: Instance, call: HandlerCall, error: unknown): void {
    this.#options.logger.warn("The output of a handler is lost", {
      kind,
      instance: id,
      handler: call.type,
      error: String(error),
    });
  }
}

function fieldsOf({ kind, id, attempt, reason, error }: Instance): LogFields {
  return {
    kind,
    instance: id,
    attempt,
    reason: reason ?? undefined,
    exit: error?.exitCode,
    signal: error?.signal,
    error: error === null ? undefined : `${error.name}: ${error.message}`.slice(0, MESSAGE_CHARS),
  };
}
