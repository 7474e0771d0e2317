import type { Instance, LogEntry, Progress } from "../core/instance.ts";
import type { JobState } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Executor } from "../worker/executor.ts";
import type { ManagerEvent } from "./api.ts";
import type { Registry } from "./registry.ts";

/** Tells listeners and the jobs' own `onStateChange` what was committed, in order for each instance. */
export class Events {
  readonly #listeners = new Set<(event: ManagerEvent) => void>();
  readonly #chains = new Map<string, Promise<void>>();
  readonly #registry: Registry;
  readonly #executor: Executor;
  readonly #logger: Logger;

  constructor(
    options: {
      readonly registry: Registry;
      readonly executor: Executor;
      readonly logger: Logger;
    },
  ) {
    this.#registry = options.registry;
    this.#executor = options.executor;
    this.#logger = options.logger;
  }

  /** Listen; answers how to stop. A listener that throws is logged and kept. */
  subscribe(listener: (event: ManagerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: ManagerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#logger.error("An event listener failed", { error: String(error) });
      }
    }
  }

  /** A change of state was committed. */
  changed(instance: Instance, at: number): void {
    const { state } = instance;
    if (this.#listeners.size > 0) this.emit({ type: "state", instance, state, at });
    const job = this.#registry.find(instance.kind);
    if (job?.hasHandler.onStateChange) this.#notify(instance, state);
  }

  /** Lines of an instance's log were committed. */
  logged(instance: Instance, entries: readonly LogEntry[], at: number): void {
    if (this.#listeners.size === 0 || entries.length === 0) return;
    this.emit({ type: "log", instance, entries, at });
  }

  /** How far an instance is was committed. */
  progressed(instance: Instance, progress: Progress, at: number): void {
    if (this.#listeners.size > 0) this.emit({ type: "progress", instance, progress, at });
  }

  /** Resolves when every handler called so far has ended, or after `limitMs`: job code may never end. */
  async settled(clock: Clock, limitMs: number): Promise<void> {
    if (this.#chains.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.timer(limitMs, () => {
        this.#logger.warn("State change handlers did not end", { instances: this.#chains.size });
        this.#chains.clear();
        resolve();
      });
      void Promise.all([...this.#chains.values()]).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  // Handlers of one instance are called one after the other, so that they see its states in order.
  #notify(instance: Instance, state: JobState): void {
    const before = this.#chains.get(instance.id) ?? Promise.resolve();
    const chain = before.then(async () => {
      const job = this.#registry.find(instance.kind);
      if (job) await this.#executor.notify({ job, instance, state });
    }).catch((error) => {
      this.#logger.warn("A state change handler failed", {
        kind: instance.kind,
        instance: instance.id,
        state,
        error: String(error),
      });
    }).finally(() => {
      if (this.#chains.get(instance.id) === chain) this.#chains.delete(instance.id);
    });
    this.#chains.set(instance.id, chain);
  }
}
