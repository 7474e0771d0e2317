import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { makeDirectory, openDatabase } from "./open_database.ts";
import { OwnerLock } from "./owner_lock.ts";

/** Open the database of a file as its owner; the lock is held until it is released. */
export function openOwned(
  location: string,
  node: string,
): { readonly db: DatabaseSync; readonly lock: OwnerLock } {
  makeDirectory(location);
  const path = realPath(location);
  const lock = new OwnerLock(path, node);
  try {
    return { db: openDatabase(path, lock.predecessor), lock };
  } catch (error) {
    lock.release({ isClean: false });
    throw error;
  }
}

/** The file behind links, so that two names of one database find the same owner. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return join(realpathSync(dirname(path)), basename(path));
  }
}
