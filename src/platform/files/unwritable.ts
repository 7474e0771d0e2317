import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { errorCode } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** Reason for missing write access: the user's rights, or a read-only file system. */
export type WhyUnwritable = "mode" | "disk";

/** The part of a database and its folder that a user cannot write to. */
export interface Unwritable {
  readonly path: string;
  readonly why: WhyUnwritable;
  /** True for a missing folder that the user cannot create. */
  readonly isMissing: boolean;
}

/** Why a user cannot write to a file or folder; null if it is missing or writable. */
export function unwritableAt(at: string, uid: number): WhyUnwritable | null {
  const found = statSync(at, { throwIfNoEntry: false });
  if (found === undefined) return null;
  try {
    accessSync(at, constants.W_OK);
  } catch (error) {
    if (errorCode(error) === "EROFS") return "disk";
    // Deno compares modes, which do not bind root.
    if (process.getuid?.() !== 0) return "mode";
  }
  // Root may write to everything, but its daemon may be another user.
  const bits = found.uid === uid ? 0o200 : 0o022;
  return uid !== 0 && (found.mode & bits) === 0 ? "mode" : null;
}

/** The part of a database and its folder that a user cannot write to; the user may create both. */
export function findUnwritable(path: string, uid: number): Unwritable | null {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    const why = unwritableAt(nearestFolder(folder), uid);
    return why === null ? null : { path: folder, why, isMissing: true };
  }
  for (const at of [folder, path]) {
    const why = unwritableAt(at, uid);
    if (why !== null) return { path: at, why, isMissing: false };
  }
  return null;
}

/** The command that makes a folder for this user only. */
export function makeFolderCommand(folder: string, user: string): string {
  return `sudo install -d -m 0700 -o ${shellWord(user)} ${shellWord(folder)}`;
}

/** The nearest existing folder above a missing one. */
function nearestFolder(missing: string): string {
  let at = dirname(missing);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
