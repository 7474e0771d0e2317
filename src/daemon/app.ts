import { hostname } from "node:os";
import { resolve } from "node:path";
import type { Config, LoadedConfig } from "../config/config.ts";
import { loadConfig } from "../config/load_config.ts";
import { CHANNEL_TYPES } from "../config/notices/notice_keys.ts";
import { ConfigError, formatPlace, logProblem, problemFields } from "../config/values/problems.ts";
import { GRPC_PORT_DEFAULT, siteUrlOf } from "../core/address.ts";
import { JobError, messageOf, toJobError } from "../core/errors.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { connectionLimits } from "../gateway/connection_limits.ts";
import { Gateway, type GatewayOptions } from "../gateway/gateway.ts";
import { ModuleWatch } from "../jobs/loading/module_watch.ts";
import { answerInTime } from "../manager/answer_in_time.ts";
import { Manager } from "../manager/manager.ts";
import type { ManagerOptions } from "../manager/context/manager_options.ts";
import { announceRuns } from "../manager/schedules/announce.ts";
import { StoreWorker } from "../maintenance/configured.ts";
import type { Channel } from "../notices/channels/channel.ts";
import { Heartbeat } from "./heartbeat.ts";
import { sleep, systemClock } from "../platform/clock.ts";
import { createIdSource } from "../platform/ids.ts";
import { createLogger, type Logger } from "../platform/logger.ts";
import { HeldSockets } from "../platform/network/held_sockets.ts";
import type { ServiceReports } from "./service_reports.ts";
import { BusyMemory } from "../platform/process/busy_memory.ts";
import { removeStaleFolders } from "../platform/process/pipe.ts";
import { isWindows } from "../platform/system/runtime.ts";
import {
  openFilesMax,
  OWN_PROGRAM,
  raiseOpenFiles,
  reapForeign,
} from "../platform/process/process_control.ts";
import { takeServiceSocket } from "../platform/process/service_socket.ts";
import { unitFate } from "../platform/process/unit_fate.ts";
import { systemRandom } from "../platform/random.ts";
import { VERSION } from "../platform/version.ts";
import { METHOD_RULES } from "../rpc/gen/method_rules.ts";
import type { JobClient } from "../rpc/client/client.ts";
import type { ConnectOptions } from "../rpc/client/connect_options.ts";
import { runtimeDir } from "../rpc/socket_path.ts";
import { createStore } from "../store/opening/open_store.ts";
import { createCommandExecutor } from "../supervisor/command_executor.ts";
import type { OutlivingOptions } from "../supervisor/supervisor_records.ts";
import { commandFolder } from "../supervisor/command_folder.ts";
import {
  disabledKinds,
  loadDaemonProject,
  loadProject,
  type Project,
} from "../tools/load_project.ts";
import { filesChanged, stampOfPlaces, watchConfig } from "./config_watch.ts";
import { Reloader } from "./reloader.ts";
import { endOnUncaught, StopSignals } from "./stop_signals.ts";
import { ProgramUpgrade } from "./try_upgrade.ts";
import { createInlineExecutor } from "../worker/isolation/inline_executor.ts";
import { createProcessExecutor } from "../worker/process/process_executor.ts";
import { createExecutor } from "../worker/isolation/routing_executor.ts";
import type { DaemonControl } from "../manager/api/daemon.ts";

/** A new program may take this fraction of a lease to start: nobody renews it meanwhile. */
const UPGRADE_LEASE_SHARE = 3;

/** Lease of a daemon whose store no other process uses. It reports three times in this span. */
const LONE_LEASE_MS = 600_000;

/** Options of `jobctl serve`. */
export interface ServeOptions {
  readonly configFile: string | null;
  /** Settings by dotted path that override the file's. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly writeLog: (line: string) => void;
  /** Called once the daemon works, with its Unix socket. */
  readonly onReady?: (manager: Manager, socket: string | null) => void;
  /** Continue without data that the store lost, instead of refusing to start. */
  readonly salvages?: boolean;
  /** Reload, or restart, whenever a file of the configuration changes. */
  readonly watches?: boolean;
  /** Shows why a watched configuration cannot be started: the daemon waits for a change. */
  readonly onRefused?: (error: unknown) => Promise<void>;
}

/** Restarts the old program after a failed upgrade, with its old configuration. */
interface StartAsBefore {
  readonly project: Project;
  readonly problem: string;
}

interface Output {
  readonly logger: Logger;
  /** Masks secrets in everything shown. */
  readonly mask: SecretMask;
}

type GatewayParts = Output & Pick<GatewayOptions, "sockets" | "hasWorked">;

interface Daemon {
  readonly manager: Manager;
  readonly gateway: Gateway;
  readonly heartbeat: Heartbeat;
  readonly lost: Promise<JobError>;
}

/**
 * Run the daemon until a signal ends it.
 *
 * SIGTERM and SIGINT drain; a second one aborts running attempts at once. SIGHUP reloads the jobs
 * of the configuration.
 *
 * @returns the exit code
 * @throws JobError `invalid_config` with every problem; the error of any part that cannot start
 */
export async function serve(options: ServeOptions): Promise<number> {
  const { configFile, onRefused, watches } = options;
  let asBefore: StartAsBefore | null = null;
  const sockets = new HeldSockets(process.env);
  for (;;) {
    try {
      const after = await runDaemon(options, asBefore, sockets);
      if (after === "nothing") return 0;
      asBefore = after === "restart" ? null : await after();
    } catch (error) {
      sockets.close();
      if (!watches) throw error;
      await onRefused?.(error);
      const own = configFile === null ? [] : [resolve(configFile)];
      await filesChanged(error instanceof ConfigError ? [...own, ...error.files] : own, wait);
    }
  }
}

const wait = (delayMs: number) => sleep(systemClock, delayMs);

/** @returns the action that follows the stop */
async function runDaemon(
  options: ServeOptions,
  asBefore: StartAsBefore | null,
  sockets: HeldSockets,
): Promise<"nothing" | "restart" | (() => Promise<StartAsBefore>)> {
  const first: { loaded?: LoadedConfig } = {
    loaded: asBefore?.project ?? await loadConfig(options.configFile, options),
  };
  const { config: { log: { level, format }, worker }, secrets } = first.loaded!;
  const mask = new SecretMask(secrets);
  const logger = createLogger({ clock: systemClock, level, format, write: options.writeLog, mask });
  raiseOpenFiles();
  // Before anything starts: a signal during the start cleanly stops the parts that have started.
  const signals = new StopSignals({
    ...worker,
    clock: systemClock,
    logger,
    isWindows: isWindows(),
    unitFate,
  });
  const forgetUncaught = endOnUncaught(logger);
  const stopReaping = reapForeign();
  const service = await openService(logger);
  try {
    const loadJobs = (from: LoadedConfig) => loadJobsOf(from, options);
    const project = asBefore?.project ?? await loadJobs(first.loaded!);
    // Tables take most memory. A variable would keep them here, even if set to null.
    delete first.loaded;
    const load = async () => {
      const again = await loadConfig(options.configFile, options);
      // Earlier secrets stay masked: attempts that have them may still run.
      mask.add(again.secrets);
      return await loadJobs(again);
    };
    const storeWorker = new StoreWorker(project.config, logger);
    const reloader = new Reloader(project, {
      load,
      wait,
      logger,
      adopt: (config) => {
        storeWorker.adopt(config);
        daemon.gateway.adopt(config.server.auth);
        daemon.heartbeat.adopt(config.heartbeat);
      },
      channels: (config) => openChannels(config, mask),
      reloading: (isReloading) => service?.reloading(isReloading),
    });
    const upgrade = new ProgramUpgrade(OWN_PROGRAM, {
      logger,
      sockets,
      retryMs: project.config.worker.leaseMs / UPGRADE_LEASE_SHARE,
      configStamp: () => stampOfPlaces(reloader.places()),
    });
    const control = controlOf(signals, upgrade, asBefore?.problem ?? null);
    const hasWorked = asBefore !== null || sockets.isHandedOver;
    const { salvages, watches } = options;
    const parts = { logger, mask, storeWorker, salvages, control, sockets, hasWorked };
    const daemon = await startDaemon(reloader, parts);
    reloader.attach(daemon.manager);
    options.onReady?.(daemon.manager, daemon.gateway.addresses.rpc.socket);
    service?.ready(daemon.manager.serviceFacts());
    const watching = new AbortController();
    const { signal } = watching;
    const restart = () => signals.startAgain("restart");
    const watcher = watches ? watchConfig(reloader, { logger, wait, signal, restart }) : null;
    await signals.stopped(daemon, reloader, (after, { keepsCommands }) => {
      watching.abort();
      service?.stopping({ isUpgrade: after === "upgrade", keepsCommands });
    });
    await watcher;
    const { after } = signals;
    if (after !== "upgrade") return after;
    return async () => ({ problem: await upgrade.run(), project: reloader.project });
  } catch (error) {
    throw mask.jobError(toJobError(error, "Cannot run the daemon"));
  } finally {
    forgetUncaught();
    stopReaping();
    signals.close();
    await service?.close();
  }
}

function loadJobsOf(from: LoadedConfig, { configFile }: ServeOptions): Promise<Project> {
  return loadDaemonProject(from, { configFile, nowMs: systemClock.now().wallMs });
}

/** The manager's control over its daemon. */
function controlOf(
  signals: StopSignals,
  upgrade: ProgramUpgrade,
  upgradeProblem: string | null,
): DaemonControl {
  return {
    stop: signals.request,
    upgradeProblem,
    async upgrade() {
      const version = await upgrade.try();
      signals.startAgain("upgrade");
      return { version };
    },
  };
}

/** Reports to the service manager that started this process, if any. */
async function openService(logger: Logger): Promise<ServiceReports | null> {
  const socket = takeServiceSocket(process.env, (problem) => {
    logger.warn("Cannot report to the service manager", { problem });
  });
  if (socket === null) return null;
  const { ServiceReports } = await import("./service_reports.ts");
  return new ServiceReports({ socket, clock: systemClock, logger });
}

/** Start store, listeners and work, in this order: refused listeners leave the work untouched. */
async function startDaemon(
  // Not its project: a reload replaces the project, but the functions below keep this value.
  reloader: Reloader,
  parts: GatewayParts & {
    readonly storeWorker: StoreWorker;
    readonly salvages: boolean | undefined;
    readonly control: DaemonControl;
  },
): Promise<Daemon> {
  const { logger, mask, storeWorker, salvages, control, sockets, hasWorked } = parts;
  const { config, jobs, problems, warnings } = reloader.project;
  void removeStaleFolders(systemClock.now().wallMs);
  for (const problem of problems) logProblem(problem, { logger, when: "start" });
  for (const each of warnings) logger.warn(each.message, problemFields(each));
  const lost = Promise.withResolvers<JobError>();
  const manager = createManager(config, {
    logger,
    mask,
    jobs,
    problems,
    salvages,
    daemon: control,
    listenerProblems: () => gateway.problems,
    channels: await openChannels(config, mask),
    lost: lost.resolve,
    closing: () => gateway.closeDatabase(),
    siteUrl: () => {
      const { http } = gateway.addresses;
      return http && siteUrlOf(http, config.server.site);
    },
    workOnStore: (work, context) => storeWorker.run(work, context),
    backUp: (steps, context) => storeWorker.backUp(steps, context),
    configuration: reloader,
  });
  const gateway: Gateway = createGateway(config, manager, { logger, mask, sockets, hasWorked });
  const info = await manager.open();
  try {
    await gateway.start();
    await manager.start();
    logger.info(`jobctl ${VERSION} is ready`, {
      pid: process.pid,
      store: info.location,
      workers: config.worker.count,
      jobs: jobs.length,
      listening: gateway.urls.join(","),
    });
    // Only logged: a store that is slow at the moment is not a reason to stop.
    const port = gateway.addresses.rpc.tcp?.port ?? config.server.port ?? GRPC_PORT_DEFAULT;
    await announceRuns(manager, port, { clock: systemClock, logger }).catch((error) => {
      logger.warn("Cannot list the next runs", { error: messageOf(error) });
    });
  } catch (error) {
    await gateway.stop().catch(() => {});
    await manager.stop().catch(() => {});
    throw error;
  }
  const heartbeat = new Heartbeat({
    clock: systemClock,
    logger,
    status: () => manager.status(),
    send: async (settings, signal) => {
      const { ping } = await import("../notices/ping.ts");
      return await ping(settings, { clock: systemClock, signal });
    },
  });
  heartbeat.adopt(config.heartbeat);
  return { manager, gateway, heartbeat, lost: lost.promise };
}

/** Options of a manager that differ between a daemon and a local run. */
type ManagerParts =
  & Output
  & Pick<Project, "jobs" | "problems">
  & Pick<
    ManagerOptions,
    | ("lost" | "closing" | "siteUrl" | "shownKind")
    | ("workOnStore" | "backUp" | "configuration" | "daemon" | "listenerProblems")
  >
  & { readonly salvages?: boolean | undefined; readonly channels: readonly Channel[] };

function createManager(config: Config, given: ManagerParts): Manager {
  const { problems, salvages, channels, ...parts } = given;
  const { logger, mask } = parts;
  const clock = systemClock;
  const watch = new ModuleWatch(clock);
  const memory = BusyMemory.fromStart(clock);
  const { count, idleMs, spare, recycleAfter, recycleMemoryBytes } = config.worker;
  return new Manager({
    ...parts,
    store: createStore(config.store, {
      clock,
      random: systemRandom,
      logger,
      salvages: salvages ? "any" : undefined,
    }),
    executor: createExecutor({
      process: createProcessExecutor({
        clock,
        logger,
        count,
        idleMs,
        spare,
        recycle: { runs: recycleAfter, memoryBytes: recycleMemoryBytes },
        environment: "minimal",
        mask,
      }),
      command: createCommandExecutor({
        clock,
        logger,
        idleMs,
        mask,
        outliving: outlivingOf(config),
        onWork: () => memory.note(),
        recycle: { runs: recycleAfter, memoryBytes: recycleMemoryBytes },
      }),
      inline: createInlineExecutor({ clock, mask }),
    }),
    clock,
    random: systemRandom,
    ids: createIdSource(clock, systemRandom),
    node: config.node.id ?? hostname(),
    tags: config.node.tags,
    maxSkewMs: config.store.maxSkewMs,
    version: VERSION,
    workers: count,
    pools: config.worker.pools,
    leaseMs: config.worker.leaseMs,
    ...(isLocal(config) ? { nodeLeaseMs: Math.max(LONE_LEASE_MS, config.worker.leaseMs) } : {}),
    drainMs: config.worker.drainMs,
    jobDefaults: config.defaults,
    scheduleDefaults: { ...config.scheduleDefaults, timezone: config.timezone },
    notices: { channels, host: hostname() },
    refreshJob: (job) => watch.current(job),
    disabled: disabledKinds({ config, problems }),
    // A problem without a job is a broken included file, or a folder of modules that cannot be
    // read, such as one on a disk that is not mounted yet: its jobs may come back.
    keepsUnknown: problems.some(({ job }) => job === null),
  });
}

/** Settings for commands that outlive this daemon. A store in memory keeps nothing. */
function outlivingOf({ store, node, worker }: Config): OutlivingOptions | null {
  if (store.address.type === "memory" || isWindows()) return null;
  const id = node.id ?? hostname();
  return {
    folder: () => commandFolder(store, { id, runtimeDir: runtimeDir() }),
    // Only a daemon that finds them can take back the claims of a SQLite file.
    graceMs: store.address.type === "sqlite" ? worker.leaseMs : null,
  };
}

/** The channels of a configuration. Their code is loaded only if there are any. */
export async function openChannels(
  { notices, timezone }: Config,
  mask: SecretMask,
): Promise<readonly Channel[]> {
  if (notices.length === 0) return [];
  const { createChannel } = await import("../notices/channels/channel.ts");
  return await Promise.all(notices.map(async (settings) => {
    const create = await CHANNEL_TYPES[settings.target.to]!.load();
    return createChannel(settings, create, { clock: systemClock, mask, timezone });
  }));
}

/** A manager in this process for one job run without a daemon. */
export interface LocalRun {
  readonly client: JobClient;
  /** Stop at once, without a drain. */
  stop(): Promise<void>;
}

/**
 * Start a manager to run one job in this process as a daemon would: with its configuration, jobs
 * and workers, but in memory, without schedules and listeners.
 *
 * @throws JobError `invalid_config` when the configuration or the job is refused
 */
export async function openLocal(
  options: Omit<ServeOptions, "flags"> & Pick<ConnectOptions, "values"> & { readonly kind: string },
): Promise<LocalRun> {
  const { env, kind, configFile } = options;
  const project = await loadProject(configFile, { env, nowMs: systemClock.now().wallMs });
  const { config, jobs, problems } = project;
  const problem = problems.find((each) => each.job === kind);
  // If the job is loaded, the problem belongs to another user's module of the same name.
  if (problem && !jobs.some((each) => each.kind === kind)) {
    const { message, place, hint } = problem;
    const where = place === null ? "" : `${formatPlace(place)}: `;
    throw new JobError("invalid_config", `Cannot run job "${kind}": ${where}${message}`, { hint });
  }
  const mask = new SecretMask(project.secrets);
  const logger = createLogger({
    clock: systemClock,
    level: "warn",
    format: config.log.format,
    write: options.writeLog,
    mask,
  });
  const manager = createManager({
    ...config,
    store: { ...config.store, address: { type: "memory" }, url: "memory:" },
    // One for the job, one for the runs that it schedules and waits for.
    worker: { ...config.worker, count: Math.max(2, config.worker.count) },
  }, {
    // Without needs that this node may not meet.
    jobs: jobs.map((job) => ({ ...job, schedules: [], options: { ...job.options, needs: [] } })),
    problems: [],
    channels: [],
    logger,
    mask,
    shownKind: kind,
  });
  await manager.start();
  const { createLocalClient } = await import("../rpc/client/local_client.ts");
  return { client: createLocalClient(manager, options), stop: () => manager.stop({ drainMs: 0 }) };
}

/** True if this process is the only one on its store. */
function isLocal({ store }: Config): boolean {
  return ["memory", "sqlite"].includes(store.address.type);
}

function createGateway(config: Config, manager: Manager, parts: GatewayParts): Gateway {
  const { server, store } = config;
  const waits = { location: store.url, times: METHOD_RULES };
  const { http, httpHosts: hosts, httpOrigins: origins, site, metricsKinds, ...rpc } = server;
  return new Gateway({
    manager: isLocal(config) ? manager : answerInTime(manager, systemClock, waits),
    facts: manager,
    config: {
      rpc,
      http: http && { ...http, hosts, origins, site },
      connectionsMax: connectionLimits(openFilesMax(), config.worker.count),
      database: store.address.type === "sqlite" ? store.address.path : null,
    },
    clock: systemClock,
    metricsKinds,
    onProblems: (found) => manager.daemonNotices?.portsClosed(found),
    ...parts,
  });
}
