import { statSync } from "node:fs";
import { shellWord } from "../../core/text/shell_word.ts";
import type { UnitRefusal } from "./facts.ts";
import { type Finding, findingsOf } from "./finding.ts";
import { unwritableAt } from "./store_check.ts";

/** The folder of regular backups. */
export interface BackupFolderFacts {
  readonly path: string;
  /** Name of the daemon's user. */
  readonly user: string;
  /** What keeps that user from writing to it; null if nothing. */
  readonly problem: "missing" | "file" | "mode" | "disk" | null;
  /** The unit whose daemon cannot write to it; null if none. */
  readonly refusal: UnitRefusal | null;
}

/** Look at the folder. @param uid the daemon's user; null if only root can tell what it may do */
export function readBackupFolder(path: string, uid: number | null): BackupFolderFacts["problem"] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return "missing";
  if (!found.isDirectory()) return "file";
  return uid === null ? null : unwritableAt(path, uid);
}

/** Judge the folder: each of its problems makes every backup fail. */
export function checkBackupFolder(facts: BackupFolderFacts): Finding[] {
  const { path, user, problem, refusal } = facts;
  const { error } = findingsOf("store");
  const name = `the folder of store.backup.path, "${path}",`;
  const at = shellWord(path);
  const findings: Finding[] = [];
  if (problem === "missing") {
    const make = `sudo install -d -m 0700 -o ${shellWord(user)} ${at}`;
    findings.push(error(`${name} does not exist: no backup is written`, make));
  } else if (problem === "file") {
    const text = `store.backup.path, "${path}", is not a folder: no backup is written`;
    findings.push(error(text, "set store.backup.path to a folder"));
  } else if (problem === "mode") {
    const mend = `sudo chown ${shellWord(user)} ${at} && sudo chmod 0700 ${at}`;
    findings.push(error(`user ${user} cannot write to ${name.slice(0, -1)}`, mend));
  } else if (problem === "disk") {
    const mount = `sudo mount -o remount,rw "$(findmnt -no TARGET -T ${at})"`;
    findings.push(error(`${name} is on a file system that is read-only`, mount));
  }
  if (refusal !== null) {
    const text = `${refusal.unit} does not let the daemon write to ${name.slice(0, -1)}`;
    findings.push(error(text, refusal.remedy));
  }
  return findings;
}
