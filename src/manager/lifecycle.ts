import { type Backoff, backoffMs } from "../core/backoff.ts";
import { JobError, toJobError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { sleep } from "../platform/clock.ts";
import type { Channel } from "../notices/channels/channel.ts";
import type { ChangeHint, StoreInfo } from "../store/store.ts";
import type { FoundAttempt } from "../worker/executor.ts";
import { hasExpectations } from "../core/notices/expectations.ts";
import { claimerOf, type ManagerParts } from "./manager_parts.ts";
import type { ManagerOptions } from "./context/manager_options.ts";

/** Time limit of a stop for state handlers, in milliseconds. */
const HANDLERS_MS = 10_000;
/** Waits between checks whether due instances were claimed. */
const LOOK: Backoff = { firstMs: 5, longestMs: 250 };

/** The jobs of a configuration, as a reload applies them. */
export interface Project extends Pick<ManagerOptions, "jobs" | "disabled" | "scheduleDefaults"> {
  /** True if unknown jobs may still be added; unchanged if absent. */
  readonly keepsUnknown?: boolean;
  /** Channels to people; unchanged if absent. */
  readonly channels?: readonly Channel[];
}

/** Options of a stop. */
export interface StopOptions {
  /** Time for all attempts to finish, instead of their individual times. */
  readonly drainMs?: number | undefined;
  /**
   * True to leave commands running for the next daemon of this node, where that is possible. A
   * later call without it ends them, too.
   */
  readonly keepsCommands?: boolean | undefined;
}

/** Cuts a stop short. */
export interface StopControl {
  /** The part that the stop waits for. */
  readonly waitsFor: string;
  /** Abort what runs at once: for an operator's second signal. */
  abort(): void;
  /** Kill at once what runs: this process is about to end. */
  kill(): void;
}

/** Starts and stops the parts of a manager, and replaces its jobs meanwhile. */
export class Lifecycle {
  readonly #getParts: () => ManagerParts;
  /** Null unless the store is open. */
  storeInfo: StoreInfo | null = null;
  startedAt = 0;
  isDraining = false;
  #waitsFor = "running attempts";
  readonly #stopListeners = new Set<() => void>();
  #unsubscribe: (() => void) | null = null;
  #isStarted = false;
  /** Attempts left running by an earlier daemon, until they are taken over. */
  #found: readonly FoundAttempt[] = [];
  #opening: Promise<StoreInfo> | null = null;
  #stopping: Promise<void> | null = null;

  /** @param getParts returns the manager's parts; first called by {@link open} */
  constructor(getParts: () => ManagerParts) {
    this.#getParts = getParts;
  }

  /** See {@link Manager.open}. */
  open(): Promise<StoreInfo> {
    return this.#opening ??= this.#open().finally(() => this.#opening = null);
  }

  async #open(): Promise<StoreInfo> {
    const { store, membership, options: { node, logger, clock, executor, leaseMs } } = this
      .#getParts();
    this.startedAt = clock.now().wallMs;
    // Before the store takes back a dead daemon's claims: some attempts may still run.
    this.#found = await executor.survivors?.find() ?? [];
    const claims = this.#found.map(({ id, fence }) => ({ id, fence }));
    const request = { at: clock.now(), node, keeps: { claims, leaseMs } };
    const info = this.storeInfo = await store.open(request).catch((error: unknown) => {
      executor.survivors?.leave();
      throw error;
    });
    this.isDraining = false;
    const joined = await membership.join(claims).catch(async (error: unknown) => {
      this.storeInfo = null;
      executor.survivors?.leave();
      await store.close();
      throw error;
    });
    const recovered = [...info.recovered, ...joined];
    if (recovered.length > 0) {
      logger.warn("Took back instances of a daemon that ended without settling them", {
        count: recovered.length,
      });
    }
    return this.storeInfo = { ...info, recovered };
  }

  /** See {@link Manager.start}. */
  async start(): Promise<void> {
    if (this.#isStarted) {
      throw new JobError("conflict", "Cannot start the manager: it is already running");
    }
    this.#isStarted = true;
    const parts = this.#getParts();
    const { store, options, events, schedules } = parts;
    try {
      const info = this.storeInfo ?? await this.open();
      this.#unsubscribe = store.subscribe((hint) => this.#hinted(hint));
      await options.executor.start();
      // First: nobody renews their claims meanwhile.
      await this.#adopt(parts);
      await parts.janitor.prepare();
      await schedules.sync();
      await parts.notices.start();
      for (const instance of info.recovered) events.failed(instance, this.startedAt);
      parts.dispatcher.start();
      parts.scheduler.start();
      parts.janitor.start();
      parts.storeWatch.start(info);
      parts.externalWatch.start();
      parts.membership.start();
      parts.notices.watchDaemon();
    } catch (error) {
      this.#unsubscribe?.();
      this.#isStarted = false;
      throw error;
    }
  }

  async #adopt({ dispatcher, options: { logger } }: ManagerParts): Promise<void> {
    const found = this.#found;
    this.#found = [];
    const count = await dispatcher.adopt(found);
    if (count > 0) {
      logger.info("Took over commands of an earlier daemon, running or ended", { count });
    }
  }

  /** See {@link Manager.stop}. */
  async stop(options: StopOptions = {}): Promise<void> {
    if (!this.storeInfo) {
      this.#isStarted = false;
      return;
    }
    if (this.#stopping !== null && !options.keepsCommands) {
      this.#getParts().dispatcher.endCommands();
    }
    await (this.#stopping ??= this.#stop(options).finally(() => this.#stopping = null));
  }

  /** See {@link Manager.stopControl}. */
  get stopControl(): StopControl {
    const { dispatcher, options: { executor } } = this.#getParts();
    return {
      waitsFor: this.#waitsFor,
      abort: () => dispatcher.abortNow(),
      kill: () => executor.kill?.(),
    };
  }

  async #stop({ drainMs, keepsCommands = false }: StopOptions): Promise<void> {
    const parts = this.#getParts();
    const { store, options, events, dispatcher, scheduler } = parts;
    const { janitor, membership, fullWorkers, notices } = parts;
    this.isDraining = true;
    this.#waitsFor = "running attempts";
    membership.changed();
    scheduler.stop();
    janitor.stop();
    parts.storeWatch.stop();
    parts.externalWatch.stop();
    fullWorkers.stop();
    notices.stop();
    const left = await dispatcher.drain({
      drainMs: drainMs ?? options.drainMs,
      isForAll: drainMs !== undefined,
      keepsCommands,
    });
    if (left > 0) options.logger.info("Left running commands to the next daemon", { count: left });
    dispatcher.stop();
    this.#waitsFor = "state handlers";
    await events.settled(HANDLERS_MS);
    notices.ended();
    this.#waitsFor = "workers and supervisors";
    try {
      await options.executor.stop();
    } finally {
      this.#unsubscribe?.();
      this.storeInfo = null;
      this.#isStarted = false;
      for (const listener of [...this.#stopListeners]) listener();
      this.#waitsFor = "the store";
      // A node that has left has no claims.
      if (left === 0) await membership.leave();
      else membership.stop();
      await options.closing?.();
      await store.close();
      this.#waitsFor = "listeners";
    }
  }

  /** @throws JobError `unavailable` while the manager is stopping: it accepts nothing new */
  assertOpen(): void {
    if (!this.isDraining) return;
    throw new JobError("unavailable", "Cannot schedule: the daemon is stopping", {
      hint: "Try again when it has restarted",
    });
  }

  /** Call `listener` once the manager has stopped. Returns a function that unsubscribes. */
  onStop(listener: () => void): () => void {
    this.#stopListeners.add(listener);
    return () => void this.#stopListeners.delete(listener);
  }

  /**
   * Resolves when this node is idle, with nothing due that it could run.
   *
   * @throws JobError `timeout` if `timeoutMs` passed first; `unavailable` if it is not running or
   * stops first
   */
  async waitIdle(timeoutMs?: number): Promise<void> {
    if (!this.#isStarted) throw noIdle("unavailable", "it is not running", "Start it first");
    const ended = Promise.withResolvers<never>();
    const over = new AbortController();
    const { clock } = this.#getParts().options;
    const timer = timeoutMs === undefined ? null : clock.timer(timeoutMs, () => {
      const hint = 'Wait longer, or look at what runs: lookupInstances({ state: "processing" })';
      ended.reject(noIdle("timeout", `it is still busy after ${timeoutMs} ms`, hint));
    });
    const unlisten = this.onStop(() => ended.reject(noIdle("unavailable", "it has stopped")));
    try {
      await Promise.race([ended.promise, this.#becomeIdle(over.signal)]);
    } finally {
      over.abort();
      timer?.cancel();
      unlisten();
    }
  }

  async #becomeIdle(over: AbortSignal): Promise<void> {
    const parts = this.#getParts();
    const { store, dispatcher, events, options: { clock } } = parts;
    for (let waits = 0; !over.aborted;) {
      await dispatcher.quiet();
      await events.quiet();
      const { at, instanceAt } = await store.nextDue(claimerOf(parts));
      const isDue = instanceAt !== null && instanceAt <= at;
      if (!isDue && dispatcher.isQuiet) return;
      // Due but not claimed: the claim is under way, or there is no worker for it.
      if (isDue) await sleep(clock, backoffMs(LOOK, waits++), over);
    }
  }

  /** See {@link Manager.reload}. */
  async reload(project: Project): Promise<void> {
    const parts = this.#getParts();
    const { registry, schedules, scheduler, dispatcher, membership } = parts;
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
    await parts.notices.adopt(project.channels);
    scheduler.poke();
    dispatcher.poke();
    this.#getParts().externalWatch.poke();
    membership.changed();
  }

  /** See {@link Manager.addJob}. */
  addJob(job: JobDefinition): void {
    const parts = this.#getParts();
    const { registry, dispatcher, membership, schedules, options: { logger } } = parts;
    registry.set(job);
    if (!this.#isStarted) return;
    if (hasExpectations(job)) void parts.notices.adopt();
    dispatcher.poke();
    membership.changed();
    schedules.syncJob(job).catch((error: unknown) => {
      logger.error(`Cannot keep the schedules of job "${job.kind}"`, {
        error: toJobError(error, "Cannot write").message,
      });
    });
  }

  /** The store had forgotten this node, and its request for news. */
  rejoined(): void {
    if (this.#isStarted) void this.#getParts().notices.adopt();
  }

  /** Another daemon took this node's id: abort all attempts and claim nothing more. */
  lostNode(error: JobError): void {
    const { dispatcher, scheduler, janitor, externalWatch, options } = this.#getParts();
    scheduler.stop();
    janitor.stop();
    externalWatch.stop();
    dispatcher.pauseClaims();
    dispatcher.abort("lease");
    options.logger.error(error.message, { hint: error.hint });
    options.lost?.(error);
  }

  #hinted(hint: ChangeHint): void {
    const { dispatcher, scheduler, janitor, membership } = this.#getParts();
    switch (hint.type) {
      case "instances":
        return dispatcher.pokeAt(hint.dueAt);
      case "schedules":
        return scheduler.poke();
      case "cancel":
        return dispatcher.abort("canceled", hint.claims);
      case "pauses":
        return dispatcher.poke();
      case "claims":
        return janitor.claimed();
      case "deadlines":
        return janitor.poke();
      case "nodes":
        return membership.hinted();
    }
  }
}

function noIdle(code: "timeout" | "unavailable", problem: string, hint?: string): JobError {
  return new JobError(code, `Cannot wait for the manager to be idle: ${problem}`, { hint });
}
