import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { JobError } from "../../core/errors.ts";
import { userName } from "../../platform/accounts.ts";

/** Largest file that is read, in bytes. */
const FILE_BYTES_MAX = 4 * 1_048_576;

/** A file that is imported. */
export interface OwnedFile {
  readonly bytes: Uint8Array;
  /** The user to whom it belongs, when that is neither root nor our own: what stands in it may do no more than that user. */
  readonly owner: string | null;
  readonly mode: number;
}

/**
 * Read a file together with whose it is: nobody can put another one in its place between.
 *
 * @throws JobError `invalid_argument` for one that is too large; what keeps it from being read
 */
export function readOwnedFile(path: string): OwnedFile {
  const file = openSync(path, "r");
  try {
    const found = fstatSync(file);
    if (found.size > FILE_BYTES_MAX) {
      throw new JobError(
        "invalid_argument",
        `Cannot import "${path}": ${found.size} bytes, at most ${FILE_BYTES_MAX}`,
      );
    }
    const isForeign = found.uid !== 0 && found.uid !== process.getuid?.();
    const owner = isForeign ? userName(found.uid) : null;
    return { bytes: readFileSync(file), owner, mode: found.mode };
  } finally {
    closeSync(file);
  }
}
