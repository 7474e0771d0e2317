import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { errorCode } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** What keeps a user from writing: its rights, or a file system that is read-only. */
export type WhyUnwritable = "mode" | "disk";

/** What a user cannot write to, of a database and its folder. */
export interface Unwritable {
  readonly path: string;
  readonly why: WhyUnwritable;
  /** True for a folder that is missing, and that the user cannot create. */
  readonly isMissing: boolean;
}

/** What keeps a user from writing to a file or folder; null if nothing does, or there is none. */
export function unwritableAt(at: string, uid: number): WhyUnwritable | null {
  const found = statSync(at, { throwIfNoEntry: false });
  if (found === undefined) return null;
  try {
    accessSync(at, constants.W_OK);
  } catch (error) {
    if (errorCode(error) === "EROFS") return "disk";
    // Deno compares modes, which do not keep root from writing.
    if (process.getuid?.() !== 0) return "mode";
  }
  // Root may write to everything, but its daemon may be another user.
  const bits = found.uid === uid ? 0o200 : 0o022;
  return uid !== 0 && (found.mode & bits) === 0 ? "mode" : null;
}

/** What a user cannot write to, of a database and its folder; the user may create both. */
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

/** The command that makes a folder which only this user can open. */
export function makeFolderCommand(folder: string, user: string): string {
  return `sudo install -d -m 0700 -o ${shellWord(user)} ${shellWord(folder)}`;
}

/** The next folder above a missing one that exists. */
function nearestFolder(missing: string): string {
  let at = dirname(missing);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
