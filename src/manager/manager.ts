import { JobError, toJobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { Service } from "../platform/service.ts";
import type { ChangeHint, StoreInfo } from "../store/store.ts";
import { readOptions } from "./call_options.ts";
import { waitIdle } from "./nodes/idle.ts";
import { Operations } from "./operations.ts";
import type { ZonedScheduleDefaults } from "./schedules/schedule_spec.ts";

/** How long state handlers have at a stop, in milliseconds. */
const HANDLERS_MS = 10_000;

/** The facade: one object that schedules, runs and accounts for jobs on a store. */
export class Manager extends Operations implements Service {
  readonly name = "manager";
  #unsubscribe: (() => void) | null = null;
  #isStarted = false;
  #stopping: Promise<void> | null = null;

  /**
   * Open the store and take back what a dead daemon left; nothing is claimed yet.
   *
   * @throws JobError when the store refuses
   */
  open(): Promise<StoreInfo> {
    return this.#opening ??= this.#open().finally(() => this.#opening = null);
  }
  #opening: Promise<StoreInfo> | null = null;

  async #open(): Promise<StoreInfo> {
    const { node, logger, clock } = this.parts.options;
    const at = clock.now();
    this.life.startedAt = at.wallMs;
    this.life.storeInfo = await this.parts.store.open({ at, node });
    this.life.isDraining = false;
    const recovered = [...this.life.storeInfo.recovered, ...await this.#join()];
    this.life.storeInfo = { ...this.life.storeInfo, recovered };
    if (recovered.length > 0) {
      logger.warn("Instances of a daemon that ended without settling them were taken back", {
        count: recovered.length,
      });
    }
    return this.life.storeInfo;
  }

  async #join(): Promise<readonly Instance[]> {
    try {
      return await this.parts.membership.join();
    } catch (error) {
      this.life.storeInfo = null;
      await this.parts.store.close();
      throw error;
    }
  }

  /**
   * Start to work; opens the store unless {@link open} did. May follow a {@link stop}.
   *
   * @throws JobError `conflict` while it runs
   */
  async start(): Promise<void> {
    if (this.#isStarted) {
      throw new JobError("conflict", "Cannot start the manager: it runs already");
    }
    this.#isStarted = true;
    try {
      await this.#begin();
    } catch (error) {
      this.#unsubscribe?.();
      this.#isStarted = false;
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { store, options, events, schedules, dispatcher, scheduler, janitor, membership } =
      this.parts;
    const { recovered } = this.life.storeInfo ?? await this.open();
    this.#unsubscribe = store.subscribe((hint) => this.#hinted(hint));
    await options.executor.start();
    await schedules.sync();
    for (const instance of recovered) events.failed(instance, this.life.startedAt);
    dispatcher.start();
    scheduler.start();
    janitor.start();
    membership.start();
  }

  /**
   * Drain: claim nothing more, let running attempts finish for the drain time (with `drainMs` also those of jobs with a drain time
   * of their own), then abort the rest and give them back with their attempts kept, unless their jobs say otherwise. Outcomes that
   * the store does not take for 10 s are given up; state handlers have 10 s to end.
   */
  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    const { drainMs } = readOptions("stop", options, "stop the manager");
    if (!this.life.storeInfo) {
      this.#isStarted = false;
      return;
    }
    await (this.#stopping ??= this.#stop(drainMs).finally(() => this.#stopping = null));
  }

  async #stop(drainMs?: number): Promise<void> {
    const { store, options, events, dispatcher, scheduler, janitor, membership } = this.parts;
    this.life.isDraining = true;
    membership.changed();
    scheduler.stop();
    janitor.stop();
    this.parts.fullWorkers.stop();
    dispatcher.pauseClaims();
    const cancel = dispatcher.abortAfterDrain(drainMs ?? options.drainMs, {
      isForAll: drainMs !== undefined,
    });
    await dispatcher.drained();
    cancel();
    dispatcher.stop();
    await events.settled(options.clock, HANDLERS_MS);
    try {
      await options.executor.stop();
    } finally {
      this.#unsubscribe?.();
      this.life.storeInfo = null;
      this.#isStarted = false;
      for (const listener of [...this.life.stopListeners]) listener();
      await membership.leave();
      await options.closing?.();
      await store.close();
    }
  }

  /**
   * Resolves when this node runs nothing and nothing is due that it could run.
   *
   * @throws JobError `timeout` when `timeoutMs` passed first; `unavailable` when it does not run, or stops first
   */
  protected async waitIdle(timeoutMs?: number): Promise<void> {
    const { options: { clock, node }, registry, store, dispatcher, events } = this.parts;
    if (!this.#isStarted) {
      throw new JobError("unavailable", "Cannot wait for the manager to be idle: it does not run", {
        hint: "Start it first",
      });
    }
    const { stopListeners } = this.life;
    return await waitIdle(timeoutMs, {
      clock,
      quiet: async () => {
        await dispatcher.quiet();
        await events.quiet();
      },
      isQuiet: () => dispatcher.isQuiet,
      isDue: async () => {
        const { kinds, limits } = registry;
        const { at, instanceAt } = await store.nextDue({ at: clock.now(), node, kinds, limits });
        return instanceAt !== null && instanceAt <= at;
      },
      onStop: (listener) => {
        stopListeners.add(listener);
        return () => void stopListeners.delete(listener);
      },
    });
  }

  /** Abort what runs at once, during {@link stop}: the second signal of an impatient operator. */
  abortRunning(): void {
    this.parts.dispatcher.abort("drain");
  }

  /**
   * Put other jobs in the place of those there are. What runs goes on, and schedules that did not change keep their cursor.
   *
   * @throws JobError when the store refuses; the old jobs stay then
   */
  async reload(
    project: {
      readonly jobs: readonly JobDefinition[];
      /** Kinds that are configured but not loaded, with the reason. */
      readonly disabled: ReadonlyMap<string, string>;
      readonly scheduleDefaults: ZonedScheduleDefaults;
      /** Whether unknown jobs may still appear; unchanged if absent. */
      readonly keepsUnknown?: boolean;
    },
  ): Promise<void> {
    const { registry, schedules, scheduler, dispatcher, membership } = this.parts;
    const before = registry.replace(project.jobs);
    const disabledBefore = registry.disable(project.disabled);
    const keptBefore = schedules.keepsUnknown;
    schedules.keepsUnknown = project.keepsUnknown ?? keptBefore;
    try {
      await schedules.sync();
    } catch (error) {
      registry.replace(before);
      registry.disable(disabledBefore);
      schedules.keepsUnknown = keptBefore;
      throw error;
    }
    schedules.defaults = project.scheduleDefaults;
    scheduler.poke();
    dispatcher.poke();
    membership.changed();
  }

  /** Add a job with its schedules, or replace the one of its kind. */
  addJob(job: JobDefinition): void {
    this.registry.set(job);
    if (!this.#isStarted) return;
    this.parts.dispatcher.poke();
    this.parts.membership.changed();
    this.parts.schedules.syncJob(job).catch((error: unknown) => {
      const { message } = toJobError(error, "Cannot write");
      this.parts.options.logger.error(`Cannot keep the schedules of job "${job.kind}"`, {
        error: message,
      });
    });
  }

  protected lostNode(error: JobError): void {
    const { dispatcher, scheduler, janitor, options } = this.parts;
    scheduler.stop();
    janitor.stop();
    dispatcher.pauseClaims();
    dispatcher.abort("lease");
    options.logger.error(error.message, { hint: error.hint });
    options.lost?.(error);
  }

  #hinted(hint: ChangeHint): void {
    switch (hint.type) {
      case "instances":
        return this.parts.dispatcher.pokeAt(hint.dueAt);
      case "schedules":
        return this.parts.scheduler.poke();
      case "cancel":
        return this.parts.dispatcher.abort("canceled", hint.claims);
      case "pauses":
        return this.parts.dispatcher.poke();
      case "deadlines":
        return this.parts.janitor.poke();
      case "nodes":
        return this.parts.membership.hinted();
    }
  }
}
