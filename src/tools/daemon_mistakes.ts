import { resolve } from "node:path";
import process from "node:process";
import { backupFolderProblems, readBackupFolder } from "../config/backup_folder.ts";
import type { Config } from "../config/config.ts";
import { localMailProblems } from "../config/notices/local_mail.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { isAccount, isRoot, userId, userName } from "../platform/system/accounts.ts";
import { type UnitSandbox, unitSandbox } from "./service/unit_sandbox.ts";

/** Inputs of {@link daemonMistakes}. */
export interface DaemonPlace {
  /** True if this process is the daemon. */
  readonly isDaemon: boolean;
  /** A folder in place of `/`, for the files of the unit. */
  readonly root?: string;
}

/** The process that runs, or would run, a configuration. */
interface DaemonProcess {
  /** Null if this process cannot check that user's rights. */
  readonly uid: number | null;
  readonly user: string;
  readonly sandbox: UnitSandbox | null;
}

/**
 * Demands of a configuration that its daemon cannot meet: seen from the daemon's own process, or
 * from a command on its machine, which knows the unit that starts the daemon.
 *
 * @param configFile null for the built-in configuration
 * @returns mistakes; warnings if nothing shows that the daemon runs on this machine
 */
export function daemonMistakes(
  config: Pick<Config, "backup" | "notices">,
  configFile: string | null,
  { isDaemon, root }: DaemonPlace,
): ConfigProblem[] {
  const sandbox = configFile === null ? null : unitSandbox(resolve(configFile), root);
  const daemon = isDaemon || sandbox === null ? ownProcess(sandbox) : serviceProcess(sandbox);
  const isHere = isDaemon || sandbox !== null;
  const mail = sandbox === null || sandbox.hasSetuid
    ? []
    : localMailProblems(config.notices, sandbox.unit, root);
  return [...backupProblems(config, daemon), ...mail]
    .map((problem) => isHere ? { ...problem, isMistake: true } : problem);
}

function ownProcess(sandbox: UnitSandbox | null): DaemonProcess {
  const uid = process.getuid?.() ?? 0;
  return { uid, user: userName(uid), sandbox };
}

function serviceProcess(sandbox: UnitSandbox): DaemonProcess {
  const { user } = sandbox;
  const uid = isAccount(user) ? userId(user) : null;
  return { uid: isRoot() || uid === process.getuid?.() ? uid : null, user, sandbox };
}

function backupProblems(
  { backup }: Pick<Config, "backup">,
  { uid, user, sandbox }: DaemonProcess,
): ConfigProblem[] {
  if (backup === null) return [];
  const { path } = backup;
  const problems = backupFolderProblems({
    path,
    user,
    refusal: sandbox?.refusal(path, "backup") ?? null,
    ...readBackupFolder(path, uid),
  });
  return problems.map(({ message, remedy }) => ({
    path: "store.backup.path",
    place: null,
    job: null,
    message,
    hint: remedy,
  }));
}
