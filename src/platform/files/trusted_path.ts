import { accessSync, constants, lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { asOwner } from "./private_files.ts";
import { accountName, isPrivateGroup, isRoot, userName } from "../system/accounts.ts";

/** Why a path is not trusted. */
export interface Distrust {
  /** The file at fault, or a folder above it. */
  readonly path: string;
  /** The problem, as the end of a sentence. */
  readonly problem: string;
  readonly isMissing: boolean;
  /** A command that fixes it, or other advice; null without any. */
  readonly remedy: string | null;
}

/** Rules for trusted files. */
export interface TrustOptions {
  /** Trusted users in addition to root and our own. */
  readonly owners?: readonly number[];
  /** True if the last part of the path may be a symbolic link; earlier parts always may. */
  readonly isLinkAllowed?: boolean;
  /** The reason for distrusting a path. */
  readonly looked?: Map<string, Stats | Distrust>;
}

/** A path that other users can change, as reported to people. */
export interface TrustProblem {
  readonly message: string;
  readonly hint: string;
  /** True if the file is refused, as for root. Any other user gets a warning. */
  readonly isFatal: boolean;
}

/**
 * The problem to report for a file that decides this process's behavior, if other users can change
 * it or a folder above it.
 *
 * @returns null if nobody else can, or if it cannot be inspected: reading it will report that
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

/** The error for a path that other users can change. */
export function distrustError(action: string, { path, problem }: Distrust, hint: string): JobError {
  const message = `${action}: "${path}" is not trusted: ${problem}`;
  return new JobError("permission_denied", message, { hint });
}

const LINKS_MAX = 40;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

/**
 * Check that only root, this process's user and `owners` can have created `path` or can replace it:
 * every folder above it belongs to them and is not writable by others. In a shared folder such as
 * /tmp, where only its owner can remove a file, the entry itself must be theirs.
 *
 * @returns null if so, else the problem; always null on systems without users
 */
export function findDistrust(path: string, options: TrustOptions = {}): Distrust | null {
  const own = process.getuid?.();
  if (own === undefined) return null;
  const owners = new Set([0, own, ...options.owners ?? []]);
  for (const { at, found, isLast } of partsThrough(path, options.looked)) {
    if (!("mode" in found)) return found;
    if (!owners.has(found.uid)) {
      return distrust(at, `it belongs to ${accountName(found.uid)}`, ownerRemedy(found, at, own));
    }
    if (found.isSymbolicLink()) {
      if (isLast && options.isLinkAllowed !== true) return distrust(at, "it is a symbolic link");
      continue;
    }
    const problem = writers(found, isLast);
    // Kubernetes mounts configurations read-only, in folders with mode 0777.
    if (problem !== null && !isOnReadOnlyMount(at)) {
      return distrust(at, problem, asOwner(`chmod go-w ${shellWord(at)}`, at));
    }
  }
  return null;
}

/**
 * The users, other than root and our own, who decide which file a path leads to: the owners of the
 * folders, links and file on its way.
 *
 * @returns null if nothing is there
 */
export function foreignOwners(path: string): readonly number[] | null {
  const owners = new Set<number>();
  for (const { found } of partsThrough(path)) {
    if (!("mode" in found)) return null;
    if (found.uid !== 0 && found.uid !== process.getuid?.()) owners.add(found.uid);
  }
  return [...owners];
}

/** A folder, link or file on the way of a path. */
interface PathPart {
  readonly at: string;
  readonly found: Stats | Distrust;
  /** True for the named file, or a link in its place. */
  readonly isLast: boolean;
}

/** Everything that a path leads through, from the root folder on; links are followed. */
function* partsThrough(path: string, looked?: Map<string, Stats | Distrust>): Generator<PathPart> {
  let links = 0;
  const todo = partsOf(isAbsolute(path) ? path : `${process.cwd()}/${path}`);
  let at = "/";
  for (;;) {
    const isLast = todo.length === 0;
    const found = look(at, looked);
    yield { at, found, isLast };
    if (!("mode" in found)) return;
    if (found.isSymbolicLink()) {
      if (++links > LINKS_MAX) {
        return yield { at, found: distrust(at, "too many symbolic links"), isLast };
      }
      const target = readlinkSync(at);
      todo.unshift(...partsOf(target));
      at = isAbsolute(target) ? "/" : dirname(at);
      continue;
    }
    if (isLast) return;
    // Links in the part before are resolved, so ".." is the real parent.
    at = join(at, todo.shift()!);
  }
}

// Never advise to take a folder from its owner: it may be the home of a user or of their daemon.
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
  let found = looked?.get(path);
  if (found !== undefined) return found;
  try {
    found = lstatSync(path);
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    const problem = isMissing ? "no such file or folder" : messageOf(error);
    found = { path, problem, isMissing, remedy: null };
  }
  looked?.set(path, found);
  return found;
}

/** True if nobody here can write to it, despite its mode. */
function isOnReadOnlyMount(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return errorCode(error) === "EROFS";
  }
}

/** Other users who can write to it; null without any. */
function writers(found: Stats, isLast: boolean): string | null {
  // In a sticky folder users own their files, and the next step checks the owner of the next part.
  if (!isLast && found.isDirectory() && (found.mode & STICKY) !== 0) return null;
  const mode = `mode ${(found.mode & 0o7777).toString(8).padStart(4, "0")}`;
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return `every user can write to it (${mode})`;
  // Members of root's group count as root, like in containers. Our private group counts as us.
  const isOpen = (found.mode & WRITABLE_BY_GROUP) !== 0 && found.gid !== 0 &&
    !isPrivateGroup(found.gid);
  return isOpen ? `its group can write to it (${mode})` : null;
}
