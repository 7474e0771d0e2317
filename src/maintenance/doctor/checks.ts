import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { backupFolderProblems, readBackupFolder } from "../../config/backup_folder.ts";
import type { Config } from "../../config/config.ts";
import { localMailProblems } from "../../config/notices/local_mail.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { userName } from "../../platform/system/accounts.ts";
import { findUnwritable } from "../../platform/files/unwritable.ts";
import { checkCgroup, readCgroup } from "./cgroup_check.ts";
import { checkClock, readClock } from "./clock_check.ts";
import { checkDaemon, checkUnits } from "./daemon_check.ts";
import { checkDisks, type Folder, readDisks } from "./disk_check.ts";
import type { DoctorOptions } from "./facts.ts";
import { findingsOf } from "./finding.ts";
import { checkFsync, timeFsync } from "./fsync_check.ts";
import { checkLimits, readLimits } from "./limits_check.ts";
import { checkListeners, readListeners } from "./listeners_check.ts";
import { checkNodes } from "./nodes_check.ts";
import type { Target } from "./target.ts";
import { checkPermissions, readPermissions } from "./permissions_check.ts";
import { checkReach, reachAll, receiversOf } from "./reach_check.ts";
import type { Check } from "./run_checks.ts";
import { lookAtSqlite } from "./sqlite_look.ts";
import { checkStore, reachServers, type SqliteFacts } from "./store_check.ts";
import { checkTokens, readTokens } from "./tokens_check.ts";
import { checkZones, readZones } from "./zones_check.ts";

/** Longest wait for a server of a channel, in ms: less than a check may take. */
const REACH_MS_MAX = 1_000;
/** Longest wait for a server of the store. */
const SERVER_MS_MAX = 500;

/** The checks that need no daemon. */
export function earlyChecks(options: DoctorOptions, config: Config | null): Check[] {
  const { clock, findUnits, spool, id } = options;
  const { wallMs: nowMs } = clock.now();
  const database = databaseOf(config);
  const always: Check[] = [
    { subject: "clock", run: async () => checkClock(await readClock(clock)) },
    { subject: "zones", run: () => checkZones(readZones(zonesOf(config), nowMs)) },
    { subject: "unit", run: async () => checkUnits(await findUnits()) },
    {
      subject: "disk",
      run: async () => checkDisks(await readDisks(foldersOf(database, spool, options.configFile))),
    },
  ];
  if (config === null) return always;
  const folder = database === null ? null : dirname(database);
  const isWaitedFor = config.store.fsync === "full";
  return [
    ...always,
    {
      subject: "fsync",
      async run() {
        const { ok } = findingsOf("fsync");
        if (folder === null) return [ok("the store is not on a disk of this machine")];
        if (!existsSync(folder)) return [ok(`"${folder}" does not exist yet`)];
        const times = await timeFsync(folder, clock, id);
        return checkFsync({ folder, times, isWaitedFor });
      },
    },
    {
      subject: "reach",
      run: async () =>
        checkReach(await reachAll(receiversOf(config), { clock, timeoutMs: REACH_MS_MAX })),
    },
  ];
}

/** The checks that need to know whether a daemon runs. */
export function lateChecks(target: Target): Check[] {
  const { options, loaded, found, daemon, pid, uid, restart } = target;
  const { isService, spool, clock } = options;
  const workers = loaded?.config.worker.count ?? 1;
  const always: Check[] = [
    { subject: "daemon", run: () => checkDaemon({ found, isService }) },
    { subject: "limits", run: () => checkLimits(readLimits(pid, { workers, isService })) },
    { subject: "cgroup", run: () => checkCgroup(readCgroup(pid, { uid, isService })) },
  ];
  if (daemon !== null) {
    const version = options.version;
    always.push({ subject: "nodes", run: () => checkNodes({ daemon, version, restart }) });
  }
  if (loaded === null) return always;
  const { config, files, secrets } = loaded;
  const { server, store, modules } = config;
  const database = databaseOf(config);
  const isRunning = found.type === "unknown" ? null : found.type === "running";
  return [
    ...always,
    { subject: "store", run: () => storeFindings(target, config) },
    { subject: "store", run: () => backupFindings(target, config) },
    { subject: "unit", run: () => mailFindings(target, config) },
    {
      subject: "tokens",
      run: () => checkTokens(readTokens(config, { nowMs: clock.now().wallMs, uid })),
    },
    {
      subject: "permissions",
      run: () =>
        checkPermissions(readPermissions({
          files,
          secrets,
          modules,
          database,
          spool: resolve(options.cwd, spool),
          keys: [server.tls?.key, store.tls?.key].filter((path) => typeof path === "string"),
          socket: server.socket === "auto" ? null : server.socket,
          owners: uid === 0 ? [] : [uid],
        })),
    },
    {
      subject: "listeners",
      run: async () => {
        const { wallMs: nowMs } = clock.now();
        return checkListeners(await readListeners(config, { isRunning, nowMs, restart }));
      },
    },
  ];
}

async function storeFindings({ daemon, uid, options }: Target, { store }: Config) {
  const { address, url, tls } = store;
  const { clock, configFile, sandbox } = options;
  const isRemote = address.type === "valkey" || address.type === "etcd";
  return checkStore({
    url,
    daemon,
    isMemory: address.type === "memory",
    configOption: configFile === null ? "" : ` --config ${shellWord(configFile)}`,
    file: address.type === "sqlite"
      ? await sqliteFacts(address.path, uid, { hasDaemon: daemon !== null, sandbox })
      : null,
    servers: isRemote && daemon === null
      ? await reachServers(address, tls, { clock, timeoutMs: SERVER_MS_MAX })
      : [],
  });
}

function backupFindings({ options, uid }: Target, { backup }: Config) {
  if (backup === null) return [];
  const { path } = backup;
  const problems = backupFolderProblems({
    path,
    user: userName(uid),
    refusal: options.sandbox?.refusal(path, "backup") ?? null,
    ...readBackupFolder(path, isAbleToTell(uid) ? uid : null),
  });
  return problems.map(({ message, remedy }) => findingsOf("store").error(message, remedy));
}

function mailFindings({ options: { sandbox } }: Target, { notices }: Config) {
  if (sandbox === null || sandbox.hasSetuid) return [];
  return localMailProblems(notices, sandbox.unit).map(({ path, message, hint }) =>
    findingsOf("unit").error(`${path}: ${message}`, hint ?? null)
  );
}

/** Only root can determine another user's write access. */
function isAbleToTell(uid: number): boolean {
  const own = process.getuid?.() ?? 0;
  return own === 0 || own === uid;
}

async function sqliteFacts(
  path: string,
  uid: number,
  { hasDaemon, sandbox }: {
    readonly hasDaemon: boolean;
    readonly sandbox: DoctorOptions["sandbox"];
  },
): Promise<SqliteFacts> {
  return {
    path,
    look: hasDaemon ? null : await lookAtSqlite(path),
    // The daemon has the file open already.
    refusal: hasDaemon ? null : sandbox?.refusal(dirname(path), "store") ?? null,
    unwritable: isAbleToTell(uid) ? findUnwritable(path, uid) : null,
    user: userName(uid),
  };
}

function databaseOf(config: Config | null): string | null {
  const address = config?.store.address;
  return address?.type === "sqlite" ? address.path : null;
}

function foldersOf(database: string | null, spool: string, configFile: string | null): Folder[] {
  const usage = (path: string) => `du -xh -d 2 ${shellWord(path)} | sort -h | tail`;
  const option = configFile === null ? "" : ` --config ${shellWord(configFile)}`;
  return [
    ...database === null ? [] : [{
      what: "the store",
      path: dirname(database),
      remedy: `jobctl store gc --compact${option}`,
    }],
    { what: "kept reports", path: spool, remedy: "jobctl wrap --flush" },
    { what: "temporary files", path: tmpdir(), remedy: usage(tmpdir()) },
  ];
}

function zonesOf(config: Config | null): string[] {
  if (config === null) return [];
  const ofJobs = config.jobs.flatMap(({ schedules, scheduleSettings }) => [
    ...schedules.map(({ timezone }) => timezone),
    ...scheduleSettings?.timezone === undefined ? [] : [scheduleSettings.timezone],
  ]);
  return [config.timezone, ...ofJobs];
}
