import { hostname } from "node:os";
import { SCHEDULE_DEFAULTS } from "../core/job/option_table.ts";
import { atPath } from "../core/errors.ts";
import { checkOptions } from "../core/text/object_keys.ts";
import { readDuration } from "../core/time/duration.ts";
import { openZone } from "../core/time/zone.ts";
import type { ManagerOptions } from "../manager/context/manager_options.ts";
import { systemClock } from "../platform/clock.ts";
import { createIdSource } from "../platform/ids.ts";
import { silentLogger } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { VERSION } from "../platform/version.ts";
import { storeOver } from "../store/module/create.ts";
import { createStore } from "../store/opening/open_store.ts";
import { createCommandExecutor } from "../supervisor/command_executor.ts";
import { createInlineExecutor } from "../worker/isolation/inline_executor.ts";
import { createExecutor } from "../worker/isolation/routing_executor.ts";
import { createProcessExecutor } from "../worker/process/process_executor.ts";
import { LIBRARY_JOB_OPTIONS } from "./library_job.ts";
import { type ManagerSetup, SETUP_KEYS } from "./manager_setup.ts";
import { isStoreOptions, readStoreOptions } from "./store_options.ts";

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
