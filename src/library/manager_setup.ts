import { quoteValue } from "../core/text/quote_value.ts";
import { atPath, JobError } from "../core/errors.ts";
import { WORKERS_MAX } from "../core/job/limits.ts";
import {
  checkOptions,
  FLAG,
  isDuration,
  isFilled,
  isListOf,
  isObject,
  isWhole,
  isWithin,
  type KeysOf,
  WORD,
} from "../core/text/object_keys.ts";
import { type Logger, silentLogger } from "../platform/logger.ts";
import type { ReplicaMedium } from "../store/replica/medium.ts";
import { isStoreOptions, readStoreOptions, type StoreOptions } from "./store_options.ts";
import { hostname } from "node:os";
import { SCHEDULE_DEFAULTS } from "../core/job/option_table.ts";
import { readDuration } from "../core/time/duration.ts";
import { openZone } from "../core/time/zone.ts";
import type { ManagerOptions } from "../manager/context/manager_options.ts";
import { systemClock } from "../platform/clock.ts";
import { createIdSource } from "../platform/ids.ts";
import { systemRandom } from "../platform/random.ts";
import { VERSION } from "../platform/version.ts";
import { storeOver } from "../store/module/create.ts";
import { createStore } from "../store/opening/open_store.ts";
import { createCommandExecutor } from "../supervisor/command_executor.ts";
import { createInlineExecutor } from "../worker/isolation/inline_executor.ts";
import { createExecutor } from "../worker/isolation/routing_executor.ts";
import { createProcessExecutor } from "../worker/process/process_executor.ts";
import { LIBRARY_JOB_OPTIONS } from "./library_job.ts";

/** Options of a manager of the library; all have defaults. */
export interface ManagerSetup {
  /**
   * "memory:" (the default), "sqlite:PATH", the URL of a server, the path of a module, one of these
   * with options, or a medium of your own.
   */
  readonly store?: string | StoreOptions | ReplicaMedium;
  /** Most concurrent attempts; 4 by default. */
  readonly workers?: number;
  /** Most concurrent attempts of the jobs of each pool. */
  readonly pools?: Readonly<Record<string, number>>;
  /** Default time zone of schedules; UTC by default. */
  readonly timezone?: string;
  /** Length of a claim's lease, in milliseconds or as a duration; 15 s by default. */
  readonly lease?: number | string;
  /** Time for which `stop` lets running attempts finish; 30 s by default. */
  readonly drain?: number | string;
  /** Receiver of log records; none by default. */
  readonly logger?: Logger;
  /** Unique name of this node on the store; by default host and process number. */
  readonly node?: string;
  /** Tags that jobs can require with `needs`. */
  readonly tags?: readonly string[];
  /**
   * True (the default) if the manager keeps the process alive from `start` to `stop`. With false,
   * the process may end while the manager only waits.
   */
  readonly keepAlive?: boolean;
}

/** The options of a manager, and their checks. */
const SETUP_KEYS: KeysOf<ManagerSetup> = {
  store: ["a medium, or the URL of a store", (value) => isFilled(value) || isObject(value)],
  workers: [`a whole number from 0 to ${WORKERS_MAX}`, isWithin(0, WORKERS_MAX)],
  pools: [
    "an object of whole numbers by the names of pools",
    (value) => isObject(value) && checkPools(value),
  ],
  timezone: ["the name of a zone", isFilled],
  lease: ["milliseconds or duration text", isDuration],
  drain: ["milliseconds or duration text", isDuration],
  logger: ["an object with debug, info, warn and error", isLogger],
  node: WORD,
  tags: ["a list of texts", isListOf(isFilled)],
  keepAlive: FLAG,
};

function checkPools(pools: object): true {
  for (const [name, most] of Object.entries(pools)) {
    if (isWhole(1)(most)) continue;
    const found = `found ${quoteValue(most)} for "${name}"`;
    throw new JobError("invalid_argument", `${found}, wanted a whole number of 1 or more`);
  }
  return true;
}

function isLogger(value: unknown): boolean {
  return isObject(value) && ["debug", "info", "warn", "error"].every((name) => {
    return typeof value[name] === "function";
  });
}

/** The options of a manager of the library. @throws JobError `invalid_argument` */
export function createOptions(setup: ManagerSetup): ManagerOptions {
  checkOptions(setup, SETUP_KEYS, { failure: "Cannot make a manager" });
  const timezone = atPath("timezone", () => openZone(setup.timezone ?? "UTC").name);
  const clock = systemClock;
  const logger = setup.logger ?? silentLogger;
  const workers = setup.workers ?? 4;
  const parts = { clock, random: systemRandom, logger };
  const store = typeof setup.store === "object" && !isStoreOptions(setup.store)
    ? storeOver(setup.store, parts, "of this manager")
    : createStore(readStoreOptions(setup.store ?? "memory:"), parts);
  return {
    store,
    executor: createExecutor({
      process: createProcessExecutor({ clock, logger, count: workers, idleMs: 30_000 }),
      command: createCommandExecutor({ clock, logger, idleMs: 30_000 }),
      inline: createInlineExecutor({ clock }),
    }),
    clock,
    random: systemRandom,
    ids: createIdSource(clock, systemRandom),
    logger,
    node: setup.node ?? `${hostname()}-${process.pid}`,
    tags: setup.tags ?? [],
    version: VERSION,
    workers,
    pools: setup.pools ?? {},
    leaseMs: readDuration("lease", setup.lease ?? "15s"),
    drainMs: readDuration("drain", setup.drain ?? "30s"),
    jobDefaults: LIBRARY_JOB_OPTIONS,
    scheduleDefaults: { ...SCHEDULE_DEFAULTS, timezone },
    jobs: [],
    disabled: new Map(),
    keepsUnknown: true,
  };
}
