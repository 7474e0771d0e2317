import type { JobError } from "../core/errors.ts";
import { Silences } from "../notices/incidents/silences.ts";
import { STORE_DEFAULTS } from "../core/settings/store_config.ts";
import { type ProcessIdentity, thisProcess } from "../platform/process/process_identity.ts";
import { zoneDatabaseVersion } from "../platform/zone_database.ts";
import type { ManagerApi } from "./api.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { Events } from "./context/events.ts";
import { ExternalWatch } from "./external/external_watch.ts";
import { LazyNotices } from "./notices/lazy_notices.ts";
import { FullWorkers } from "./dispatch/full_workers.ts";
import { Semaphore } from "./instances/semaphore.ts";
import { Janitor } from "./store/janitor.ts";
import { EarlyClaims } from "./context/early_claims.ts";
import {
  checkWorkers,
  type ManagerOptions,
  type ManagerSettings,
} from "./context/manager_options.ts";
import { Membership } from "./nodes/membership.ts";
import { createReport } from "./nodes/node_report.ts";
import { Recurring } from "./schedules/recurring.ts";
import { Peers } from "./nodes/peers.ts";
import type { PartContext } from "./context/part_context.ts";
import { lazyMethods } from "../platform/lazy.ts";
import { Registry } from "./context/registry.ts";
import { Scheduler } from "./schedules/scheduler.ts";
import { Schedules } from "./schedules/schedules.ts";
import { TickCounter } from "./context/tick_counter.ts";
import { StoreHealth } from "./context/store_health.ts";
import { StoreWatch } from "./store/store_watch.ts";
import { StoreTime } from "./store/store_time.ts";
import { systemJobs } from "./store/system_jobs.ts";

/** Most instances that bulk operations write at once: due instances wait for all of them. */
const BULK_MAX = 1_000;

/** The parts of a manager, wired together. */
export type ManagerParts = ReturnType<typeof buildParts>;

/** The state of a manager, and its reactions to events of its node id. */
interface ManagerLife {
  readonly startedAt: number;
  readonly isDraining: boolean;
  lostNode(error: JobError): void;
  rejoined(): void;
}

/** Make the parts of a manager; nothing runs yet. Running jobs call `manager` itself. */
export function buildParts(own: ManagerOptions, manager: ManagerApi, life: ManagerLife) {
  // Only the registry may keep the jobs: there may be thousands.
  const { jobs, ...settings } = own;
  const { maxSkewMs = STORE_DEFAULTS.maxSkewMs, tags = [], process = thisProcess() } = own;
  const { keepsUnknown = false, tzVersion = zoneDatabaseVersion(), clock } = own;
  const time = new StoreTime(clock, maxSkewMs);
  const options: ManagerSettings = { ...settings, clock: time };
  const registry = createRegistry(options, jobs);
  const events = new Events({ ...options, registry });
  const storeHealth = new StoreHealth(options.logger, options.mask);
  const earlyClaims = new EarlyClaims(time);
  const due = () => dispatcher.poke();
  const { channels = [] } = options.notices ?? {};
  const notices = new LazyNotices({ ...options, registry, channels }, async () => {
    const { buildNoticeParts } = await import("./notices/notice_parts.ts");
    return buildNoticeParts({ ...shared, options, dispatcher, peers });
  });
  const shared: PartContext & Omit<ManagerSettings, "notices"> = {
    ...options,
    registry,
    events,
    storeHealth,
    earlyClaims,
    tzVersion,
    due,
    notices,
    ticks: new TickCounter(),
  };
  const { dispatcher, fullWorkers } = createWorkers(options, manager, shared, notices);
  const { peers, membership } = createNodes(own, shared, { life, time, dispatcher, tags, process });
  registry.holderOf = (kind) => peers.holderOf(kind);
  const scheduler = new Scheduler(shared);
  const schedules = new Schedules({
    ...shared,
    peers,
    defaults: options.scheduleDefaults,
    keepsUnknown,
    settle: (record) => scheduler.settle(record),
  });
  const silences = new Silences(shared);
  const externalWatch = new ExternalWatch(shared);
  const external = lazyMethods(async () => {
    const { takeReports } = await import("./external/pings.ts");
    return takeReports(shared, () => externalWatch.poke());
  });
  const everyMinute = async (canDelete: boolean) => {
    scheduler.lookAtClock();
    if (!canDelete) return;
    await schedules.removed.deleteOld();
    await silences.deleteOld();
  };
  return {
    options,
    store: options.store,
    registry,
    events,
    storeHealth,
    dispatcher,
    fullWorkers,
    peers,
    membership,
    schedules,
    scheduler,
    silences,
    notices,
    external,
    externalWatch,
    ticks: shared.ticks,
    recurring: new Recurring({ ...shared, schedules }),
    janitor: new Janitor({
      ...shared,
      everyMinute,
      noteRecorded: (recordedMs, nowMs) => scheduler.noteRecorded(recordedMs, nowMs),
    }),
    storeWatch: new StoreWatch(shared),
    /** Limits what operations on many instances write at once. */
    bulk: new Semaphore(BULK_MAX),
  };
}

/** Creates the parts that run attempts, and report that they are full. */
function createWorkers(
  { workers }: ManagerSettings,
  manager: ManagerApi,
  shared: PartContext,
  notices: LazyNotices,
) {
  const dispatcher: Dispatcher = new Dispatcher({
    ...shared,
    manager,
    count: checkWorkers(workers),
    full: () => fullWorkers.expect(),
  });
  const fullWorkers = new FullWorkers({
    ...shared,
    dispatcher,
    notify: (detail) => notices.parts?.daemon.workersBusy(detail),
  });
  return { dispatcher, fullWorkers };
}

/** Creates the parts that report this node to the others, and know them. */
function createNodes(
  own: ManagerOptions,
  shared: PartContext & Omit<ManagerSettings, "notices">,
  { life, time, dispatcher, tags, process }: {
    readonly life: ManagerLife;
    readonly time: StoreTime;
    readonly dispatcher: Dispatcher;
    readonly tags: readonly string[];
    readonly process: ProcessIdentity;
  },
) {
  const { clock, maxSkewMs = STORE_DEFAULTS.maxSkewMs, executor: { survivors } } = own;
  const report = createReport({ ...shared, tags, process, survivors, workers: dispatcher, life });
  // Without the correction: the store reports this clock's error.
  const peers = new Peers({ ...shared, clock, report, maxSkewMs });
  const membership = new Membership({
    ...shared,
    clock,
    peers,
    process,
    survivors,
    report,
    leaseMs: own.nodeLeaseMs ?? own.leaseMs,
    skewed: (skewMs, tookMs) => {
      time.noteSkew(skewMs, tookMs);
      shared.earlyClaims.noteSkew(skewMs);
    },
    resize: (count) => dispatcher.resize(count),
    lost: (error) => life.lostNode(error),
    rejoined: () => life.rejoined(),
  });
  return { peers, membership };
}

/** The jobs that this node knows at its start: the system's and the configured ones. */
function createRegistry(options: ManagerSettings, jobs: ManagerOptions["jobs"]): Registry {
  const { pools, refreshJob: refresh, tags, jobDefaults, clock } = options;
  const registry = new Registry({ pools, refresh, tags });
  const own = systemJobs(jobDefaults, clock.now().wallMs);
  for (const job of [...own, ...jobs]) registry.set(job);
  registry.disable(options.disabled);
  return registry;
}

/** The claimer of a store request: this node, with the kinds that it can run now. */
export function claimerOf({ options: { clock, node }, registry }: ManagerParts) {
  const { kinds, limits } = registry;
  return { at: clock.now(), node, kinds, limits };
}
