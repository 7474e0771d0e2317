import { closeSync, lstatSync, openSync, type Stats, statSync } from "node:fs";
import process from "node:process";
import { isWindows } from "../system/runtime.ts";

/** Mode of a file for its owner only. */
export const PRIVATE_FILE = 0o600;
/** Mode of a folder for such files. */
export const PRIVATE_FOLDER = 0o700;
const OTHERS = 0o077;

/**
 * The permission bits of a file, for checks of readers and writers. Windows lacks them: there the
 * folder decides, and the answer is {@link PRIVATE_FILE}.
 */
export function permissionsOf({ mode }: Pick<Stats, "mode">): number {
  return isWindows() ? PRIVATE_FILE : mode & 0o7777;
}

/**
 * Create an empty file that nobody else may read, for code that opens it without passing a mode. An
 * existing file is left alone and not opened: closing it would drop this process's locks on it.
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", PRIVATE_FILE));
  } catch {
    // It exists, or opening it will report why it cannot be created.
  }
}

/** The files among these that others can read or write, with their modes; skips missing files. */
export function openToOthers(
  paths: readonly string[],
): { readonly path: string; readonly mode: number }[] {
  return paths.flatMap((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return [];
    const mode = permissionsOf(found) & 0o777;
    return (mode & OTHERS) === 0 ? [] : [{ path, mode }];
  });
}

/** A command that only the owner of a file may run: with `sudo` for any other user but root. */
export function asOwner(command: string, path: string): string {
  const own = process.getuid?.();
  return own === undefined || own === 0 || own === ownerOf(path) ? command : `sudo ${command}`;
}

function ownerOf(path: string): number | null {
  try {
    return statSync(path).uid;
  } catch {
    // It has gone, or is hidden from this user.
    return null;
  }
}
