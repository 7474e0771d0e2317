import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import { type JobDefinition } from "../../src/core/job/job.ts";
import { Manager } from "../../src/manager/manager.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { createIdSource } from "../../src/platform/ids.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import type { Random } from "../../src/platform/random.ts";
import type { Store } from "../../src/store/store.ts";
import type { SimClock } from "../support/worlds/sim_clock.ts";
import { faultyStore, type StoreFaults } from "./faulty_store.ts";
import { SimExecutor, type SimJob, type SimRun } from "./sim_executor.ts";

/** Length of a lease in the simulation. */
export const LEASE_MS = 3_000;

export const SIM_OPTIONS: JobOptions = {
  ...JOB_DEFAULTS,
  priority: 5,
  timeoutMs: 0,
  deadlineMs: 0,
  killAfterMs: 1_000,
  retry: {
    ...JOB_DEFAULTS.retry,
    max: 2,
    backoff: "exponential",
    initialMs: 500,
    capMs: 5_000,
    jitter: 0.2,
  },
  crashesMax: 3,
  keepSuccessMs: 30_000,
  keepFailureMs: 60_000,
  isolation: "process",
};

/** Parts shared by all nodes of a simulated world. */
export interface SimShared {
  readonly clock: SimClock;
  readonly random: Random;
  /** Already open, with its recorder. */
  readonly store: Store;
  readonly faults: StoreFaults;
  readonly definitions: readonly JobDefinition[];
  readonly jobs: Readonly<Record<string, SimJob>>;
  readonly onRun: (run: SimRun) => void;
  readonly onEffect: (instanceId: string, fence: number) => void;
  /** Puts a bug between the manager and its link. */
  readonly plant: ((store: Store) => Store) | null;
}

/** One simulated daemon: a manager behind a link that can be cut, on a clock that can be frozen. */
export class SimNode {
  readonly name: string;
  manager: Manager;
  readonly #executor: SimExecutor;
  #isFrozen = false;
  #isDead = false;
  readonly #held: (() => void)[] = [];

  constructor(name: string, skewMs: number, shared: SimShared) {
    this.name = name;
    const { clock, random } = shared;
    const gate = (message: () => void) => this.#gate(message);
    this.#executor = new SimExecutor({ ...shared, node: name });
    this.#executor.deliver = gate;
    const own = gatedClock(clock.view(skewMs), gate);
    const link = faultyStore(shared.store, { clock, random, faults: shared.faults, gate });
    this.manager = new Manager({
      store: shared.plant?.(link) ?? link,
      executor: this.#executor,
      clock: own,
      random,
      ids: createIdSource(own, random),
      logger: silentLogger,
      node: name,
      version: "0",
      workers: 3,
      leaseMs: LEASE_MS,
      drainMs: 5_000,
      jobDefaults: SIM_OPTIONS,
      scheduleDefaults: {
        timezone: "UTC",
        overlap: "skip",
        misfire: "latest",
        misfireWithinMs: 86_400_000,
        jitterMs: 0,
      },
      jobs: shared.definitions,
      disabled: new Map(),
    });
  }

  get isAlive(): boolean {
    return !this.#isDead && !this.#isFrozen;
  }

  /** kill -9 of the whole host: job code, timers and responses are lost. */
  kill(): void {
    this.#isDead = true;
    this.#executor.kill();
  }

  /** SIGSTOP: the daemon stops until {@link thaw}; its job code continues. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const message of this.#held.splice(0)) message();
  }

  #gate(message: () => void): void {
    if (this.#isDead) return;
    if (this.#isFrozen) this.#held.push(message);
    else message();
  }
}

function gatedClock(clock: Clock, gate: (message: () => void) => void): Clock {
  return {
    now: () => clock.now(),
    timer: (delayMs, callback) => {
      let isCanceled = false;
      const timer = clock.timer(delayMs, () =>
        gate(() => {
          if (!isCanceled) callback();
        }));
      return {
        cancel: () => {
          isCanceled = true;
          timer.cancel();
        },
      };
    },
    defer: (callback) => clock.defer(() => gate(callback)),
  };
}
