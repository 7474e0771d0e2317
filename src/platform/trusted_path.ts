import { lstatSync, readlinkSync } from "node:fs";
import type { Stats } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { errorCode, messageOf } from "../core/errors.ts";
import { shellWord } from "../core/shell_word.ts";
import { accountName, isPrivateGroup, isRoot, userName } from "./accounts.ts";

/** Why a path may not be believed. */
export interface Distrust {
  /** The file, or the folder on the way to it, that is at fault. */
  readonly path: string;
  /** What is wrong with it, as the end of a sentence. */
  readonly problem: string;
  readonly isMissing: boolean;
  /** A command that mends it, or what else to do; null where there is nothing. */
  readonly remedy: string | null;
}

/** Whose files count. */
export interface TrustOptions {
  /** Users besides root and our own. */
  readonly owners?: readonly number[];
  /** Whether the last part of the path may be a symbolic link; those before it may. */
  readonly isLinkAllowed?: boolean;
  /** What was found at each path, so that many files in the same folders are looked at once. */
  readonly looked?: Map<string, Stats | Distrust>;
}

/** A path that others may change, as it is told. */
export interface TrustProblem {
  readonly message: string;
  readonly hint: string;
  /** Whether it is refused: root believes nobody else, another user is only told. */
  readonly isFatal: boolean;
}

/**
 * What to say of a file that decides what this process does, when others may change it or a folder on the way to it.
 *
 * @returns null when nobody else may, or when it cannot be looked at: whoever reads it says so
 */
export function trustProblem(path: string, options: TrustOptions = {}): TrustProblem | null {
  const found = findDistrust(path, { isLinkAllowed: true, ...options });
  if (found === null || found.remedy === null) return null;
  return {
    message: `"${found.path}" is not trusted: ${found.problem}`,
    hint: found.remedy,
    isFatal: isRoot(),
  };
}

const LINKS_MAX = 40;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

/**
 * Check that nobody but root, this process's user and `owners` can have put something at `path`, or can put something else there:
 * each folder on the way is theirs and not writable by others. In a shared folder such as /tmp, where only its owner may remove a
 * file, that holds for what is theirs in it.
 *
 * @returns null when it is so, else what is wrong; always null where there are no users
 */
export function findDistrust(path: string, options: TrustOptions = {}): Distrust | null {
  const own = process.getuid?.();
  if (own === undefined) return null;
  const owners = new Set([0, own, ...options.owners ?? []]);
  let links = 0;
  const todo = partsOf(isAbsolute(path) ? path : `${process.cwd()}/${path}`);
  let at = "/";
  for (;;) {
    const isLast = todo.length === 0;
    const found = look(at, options.looked);
    if (!("mode" in found)) return found;
    if (!owners.has(found.uid)) {
      return distrust(at, `it belongs to ${accountName(found.uid)}`, ownerRemedy(found, at, own));
    }
    if (found.isSymbolicLink()) {
      if (isLast && options.isLinkAllowed !== true) return distrust(at, "it is a symbolic link");
      if (++links > LINKS_MAX) return distrust(at, "too many symbolic links");
      const target = readlinkSync(at);
      todo.unshift(...partsOf(target));
      at = isAbsolute(target) ? "/" : dirname(at);
      continue;
    }
    const problem = writers(found, isLast);
    if (problem !== null) return distrust(at, problem, `chmod go-w ${shellWord(at)}`);
    if (isLast) return null;
    // There are no links in what lies behind, so ".." is the folder that it seems to be.
    at = join(at, todo.shift()!);
  }
}

// A folder of another user is not to be taken from them: it may be their home, or that of a daemon which runs as them.
function ownerRemedy(found: Stats, path: string, own: number): string {
  if (!found.isDirectory()) return `${own === 0 ? "" : "sudo "}chown -h ${own} ${shellWord(path)}`;
  if (own !== 0) return "Use a folder of your own, or of root";
  return `Run this as that user (sudo -u ${shellWord(userName(found.uid))} ...), or use a folder ` +
    "that only root may write to, such as /etc/jobctl";
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function distrust(path: string, problem: string, remedy: string | null = null): Distrust {
  return { path, problem, isMissing: false, remedy };
}

function look(path: string, looked?: Map<string, Stats | Distrust>): Stats | Distrust {
  const known = looked?.get(path);
  if (known !== undefined) return known;
  const found = lookNow(path);
  looked?.set(path, found);
  return found;
}

function lookNow(path: string): Stats | Distrust {
  try {
    return lstatSync(path);
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    const problem = isMissing ? "no such file or folder" : messageOf(error);
    return { path, problem, isMissing, remedy: null };
  }
}

/** Who else may write; null when nobody may. */
function writers(found: Stats, isLast: boolean): string | null {
  // In such a folder what others make stays theirs, and the next step looks whose the next part is.
  if (!isLast && found.isDirectory() && (found.mode & STICKY) !== 0) return null;
  const mode = `mode ${(found.mode & 0o7777).toString(8).padStart(4, "0")}`;
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return `every user can write to it (${mode})`;
  // Members of root's group are taken for root: containers are made so. A group of ours alone is us.
  const isOpen = (found.mode & WRITABLE_BY_GROUP) !== 0 && found.gid !== 0 &&
    !isPrivateGroup(found.gid);
  return isOpen ? `its group can write to it (${mode})` : null;
}
