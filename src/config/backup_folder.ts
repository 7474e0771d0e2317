import { statSync } from "node:fs";
import { shellWord } from "../core/text/shell_word.ts";
import { type TrustProblem, trustProblem } from "../platform/files/trusted_path.ts";
import {
  makeFolderCommand,
  unwritableAt,
  type WhyUnwritable,
} from "../platform/files/unwritable.ts";

/** The unit whose daemon cannot write to a folder. */
export interface UnitRefusal {
  readonly unit: string;
  /** The command that opens the folder, and restarts the service. */
  readonly remedy: string;
}

/** Facts about the folder of regular backups. */
export interface BackupFolder {
  readonly path: string;
  /** Name of the daemon's user. */
  readonly user: string;
  /** Why that user cannot write to it; null if writable. */
  readonly obstacle: "missing" | "file" | WhyUnwritable | null;
  /** Set if users other than root and the daemon's can change its content. */
  readonly distrust: TrustProblem | null;
  /** The unit whose daemon cannot write to it; null if none. */
  readonly refusal: UnitRefusal | null;
}

/** A reason why every backup fails. */
export interface BackupFolderProblem {
  readonly message: string;
  /** The command that fixes it, or other advice. */
  readonly remedy: string;
  /** True if the folder does not exist, as on a machine that only checks the configuration. */
  readonly isMissing: boolean;
}

/** Look at the folder. @param uid the daemon's user; null if only root can check its rights */
export function readBackupFolder(
  path: string,
  uid: number | null,
): Pick<BackupFolder, "obstacle" | "distrust"> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { obstacle: "missing", distrust: null };
  if (!found.isDirectory()) return { obstacle: "file", distrust: null };
  if (uid === null) return { obstacle: null, distrust: null };
  return {
    obstacle: unwritableAt(path, uid),
    distrust: trustProblem(path, { owners: [uid] }),
  };
}

/** Judge the folder. */
export function backupFolderProblems(folder: BackupFolder): BackupFolderProblem[] {
  const { path, user, obstacle, distrust, refusal } = folder;
  const name = `the folder of store.backup.path, "${path}"`;
  const at = shellWord(path);
  const problem = (message: string, remedy: string) => ({
    message,
    remedy,
    isMissing: obstacle === "missing",
  });
  const problems: BackupFolderProblem[] = [];
  if (obstacle === "missing") {
    const message = `${name}, does not exist: no backup is written`;
    problems.push(problem(message, makeFolderCommand(path, user)));
  } else if (obstacle === "file") {
    const message = `store.backup.path, "${path}", is not a folder: no backup is written`;
    problems.push(problem(message, "set store.backup.path to a folder"));
  } else if (obstacle === "mode") {
    const mend = `sudo chown ${shellWord(user)} ${at} && sudo chmod 0700 ${at}`;
    problems.push(problem(`user ${user} cannot write to ${name}`, mend));
  } else if (obstacle === "disk" && refusal === null) {
    const mount = `sudo mount -o remount,rw "$(findmnt -no TARGET -T ${at})"`;
    problems.push(problem(`${name}, is on a file system that is read-only`, mount));
  }
  if (distrust !== null) problems.push(problem(`${name}: ${distrust.message}`, distrust.hint));
  if (refusal !== null) {
    const message = `${refusal.unit} does not let the daemon write to ${name}`;
    problems.push(problem(message, refusal.remedy));
  }
  return problems;
}
