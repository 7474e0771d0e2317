import { closeSync, lstatSync, openSync } from "node:fs";

/** Mode of what nobody else may read. */
export const PRIVATE_FILE = 0o600;
/** Mode of a folder for it. */
export const PRIVATE_FOLDER = 0o700;
const OTHERS = 0o077;

/**
 * Make an empty file that nobody else may read, for who opens it by means that take no mode. One that is there stays as it is and
 * is not opened: that would take away the locks that this process has on it.
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", PRIVATE_FILE));
  } catch {
    // It is there, or whoever opens it tells why it cannot be made.
  }
}

/** Those of these files that others may read or write, with their modes; one that is not there is none. */
export function openToOthers(
  paths: readonly string[],
): { readonly path: string; readonly mode: number }[] {
  return paths.flatMap((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return [];
    const mode = found.mode & 0o777;
    return (mode & OTHERS) === 0 ? [] : [{ path, mode }];
  });
}
