import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { kill, pid } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { errorCode, JobError } from "../../core/errors.ts";
import { makePrivate, PRIVATE_FILE } from "../../platform/files/private_files.ts";
import { isBusy, toStoreError } from "./error.ts";

/**
 * An owner's note about itself, for processes that are refused. It remains if the owner dies and is
 * removed when it closes.
 */
interface OwnerNote {
  readonly pid: number;
  readonly host: string;
  readonly node: string;
}

/**
 * The exclusive lock of a database's owner: a transaction on `<path>-owner` that never ends. The
 * kernel releases it when the process ends for any reason. The file beside it,
 * `<path>-owner.json`, names the owner. SQLite's own file must not be opened by other means:
 * closing it would release this process's lock.
 */
export class OwnerLock {
  readonly #db: DatabaseSync;
  readonly #notePath: string;

  /** @throws JobError `conflict` if another process or store of this one owns the database */
  constructor(path: string, node: string) {
    const lockPath = `${path}-owner`;
    this.#notePath = `${lockPath}.json`;
    let db: DatabaseSync;
    try {
      makePrivate(lockPath);
      db = new DatabaseSync(lockPath, { timeout: 0 });
    } catch (thrown) {
      throw toStoreError(thrown, "lock", lockPath);
    }
    try {
      db.exec("BEGIN EXCLUSIVE");
    } catch (thrown) {
      db.close();
      if (!isBusy(thrown)) throw toStoreError(thrown, "lock", lockPath);
      throw takenError(path, readNote(this.#notePath));
    }
    this.#db = db;
    const note: OwnerNote = { pid, host: hostname(), node };
    try {
      writeFileSync(this.#notePath, `${JSON.stringify(note)}\n`, { mode: PRIVATE_FILE });
    } catch (thrown) {
      db.close();
      throw toStoreError(thrown, "write", this.#notePath);
    }
  }

  release(): void {
    rmSync(this.#notePath, { force: true });
    this.#db.close();
  }
}

function readNote(path: string): OwnerNote | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as OwnerNote;
  } catch {
    // It is missing, or is being written at this moment.
    return null;
  }
}

function takenError(path: string, owner: OwnerNote | null): JobError {
  if (owner !== null && !isHere(owner)) {
    const who =
      `another container or daemon uses this volume (node "${owner.node}" on ${owner.host})`;
    return new JobError("conflict", `Cannot open "${path}": ${who}`, {
      hint: "Stop that one, or give this one a volume or a file of its own",
    });
  }
  const who = owner
    ? `process ${owner.pid} (node "${owner.node}" on ${owner.host})`
    : "another process";
  return new JobError("conflict", `Cannot open "${path}": it belongs to ${who}`, {
    hint: owner
      ? `Stop process ${owner.pid}, talk to it with jobctl, or name another file`
      : "Stop that process, or name another file",
  });
}

/**
 * True if a person here can use the owner's process id: not on another host, in another container,
 * or as the first process of one.
 */
function isHere({ pid: owner, host }: OwnerNote): boolean {
  if (host !== hostname() || owner === 1) return false;
  try {
    kill(owner, 0);
    return true;
  } catch (error) {
    // It holds the lock, so it runs: if it is not found, it is in another container.
    return errorCode(error) === "EPERM";
  }
}
