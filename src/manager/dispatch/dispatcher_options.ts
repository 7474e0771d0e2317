import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import type { Store } from "../../store/store.ts";
import type { Executor } from "../../worker/executor.ts";
import type { Events } from "../events.ts";
import type { EarlyClaims } from "./early_claims.ts";
import type { Registry } from "../registry.ts";
import type { RunningAttempt } from "./running.ts";
import type { StoreHealth } from "../store/store_health.ts";
import type { SystemJobs } from "../store/system_jobs.ts";

/** What the dispatcher works with. */
export interface DispatcherOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly executor: Executor;
  readonly events: Events;
  readonly systemJobs: SystemJobs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: string;
  readonly count: number;
  readonly leaseMs: number;
  /** Answers a call that a running job makes through its `Manager`. */
  readonly handleCall: (
    running: RunningAttempt,
    method: string,
    args: readonly unknown[],
  ) => Promise<unknown>;
  /** Called each time that the last free worker gets an attempt. */
  readonly full: () => void;
  readonly storeHealth: StoreHealth;
  readonly earlyClaims: EarlyClaims;
}
