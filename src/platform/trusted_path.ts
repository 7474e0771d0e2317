import { lstatSync, readlinkSync } from "node:fs";
import type { Stats } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { errorCode, messageOf } from "../core/errors.ts";
import { accountName } from "./accounts.ts";

/** Why a path may not be believed. */
export interface Distrust {
  /** The file, or the folder on the way to it, that is at fault. */
  readonly path: string;
  /** What is wrong with it, as the end of a sentence. */
  readonly problem: string;
  readonly isMissing: boolean;
}

/** Whose files count. */
export interface TrustOptions {
  /** Users besides root and our own. */
  readonly owners?: readonly number[];
  /** Whether the last part of the path may be a symbolic link; those before it may. */
  readonly isLinkAllowed?: boolean;
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
    const found = look(at);
    if (!("mode" in found)) return found;
    if (!owners.has(found.uid)) return distrust(at, `it belongs to ${accountName(found.uid)}`);
    if (found.isSymbolicLink()) {
      if (isLast && options.isLinkAllowed !== true) return distrust(at, "it is a symbolic link");
      if (++links > LINKS_MAX) return distrust(at, "too many symbolic links");
      const target = readlinkSync(at);
      todo.unshift(...partsOf(target));
      at = isAbsolute(target) ? "/" : dirname(at);
      continue;
    }
    const problem = writers(found, isLast);
    if (problem !== null) return distrust(at, problem);
    if (isLast) return null;
    // There are no links in what lies behind, so ".." is the folder that it seems to be.
    at = join(at, todo.shift()!);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function distrust(path: string, problem: string): Distrust {
  return { path, problem, isMissing: false };
}

function look(path: string): Stats | Distrust {
  try {
    return lstatSync(path);
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    return { path, problem: isMissing ? "no such file or folder" : messageOf(error), isMissing };
  }
}

/** Who else may write; null when nobody may. */
function writers(found: Stats, isLast: boolean): string | null {
  // In such a folder what others make stays theirs, and the next step looks whose the next part is.
  if (!isLast && found.isDirectory() && (found.mode & STICKY) !== 0) return null;
  const mode = `mode ${(found.mode & 0o7777).toString(8).padStart(4, "0")}`;
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return `every user may write to it (${mode})`;
  // Members of root's group are taken for root: containers are made so.
  const isOpen = (found.mode & WRITABLE_BY_GROUP) !== 0 && found.gid !== 0;
  return isOpen ? `its group may write to it (${mode})` : null;
}
