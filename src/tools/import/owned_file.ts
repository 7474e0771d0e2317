import { Buffer } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import process from "node:process";
import { JobError } from "../../core/errors.ts";
import { isRoot, userName } from "../../platform/system/accounts.ts";
import { foreignOwners } from "../../platform/files/trusted_path.ts";

/** Largest file that is read, in bytes. */
const FILE_BYTES_MAX = 4 * 1_048_576;
const BLOCK_BYTES = 65_536;
const WRITABLE_BY_OTHERS = 0o002;

/** A file that is imported. */
export interface OwnedFile {
  readonly bytes: Uint8Array;
  /**
   * The users, other than root and our own, who own it; for root also the owners of the folders and
   * links that lead to it. Its content must get no more rights than any of these users.
   */
  readonly owners: readonly string[];
  /** The part that the first one owns, as the start of a sentence. */
  readonly whatBelongs: string;
  readonly mode: number;
}

interface ReadOptions {
  /** True if it may be a pipe or a device, because the user named it. */
  readonly isNamed?: boolean;
}

/**
 * Read a file and its owners, safe from a replacement in between.
 *
 * @throws JobError `invalid_argument` if it is too large or not a file; the system's error if
 * unreadable
 */
export function readOwnedFile(path: string, { isNamed = false }: ReadOptions = {}): OwnedFile {
  // Opening a pipe must not wait for a writer.
  const flags = isNamed ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK;
  const file = openSync(path, flags);
  try {
    const found = fstatSync(file);
    const isTaken = found.isFile() || isNull(found) || (isNamed && !found.isDirectory());
    if (!isTaken) throw refuse(path, "it is not a file");
    const isForeign = found.uid !== 0 && found.uid !== process.getuid?.();
    const owners = new Set<number>(isForeign ? [found.uid] : []);
    // Checked after opening: a user who replaced a part of the path is still its owner.
    const onPath = isRoot() ? foreignOwners(path) : [];
    if (onPath === null && found.isFile()) throw refuse(path, "it was moved");
    for (const uid of onPath ?? []) owners.add(uid);
    return {
      bytes: readBytes(file, path),
      owners: [...owners].map((uid) => userName(uid)),
      whatBelongs: isForeign ? "it" : "a folder or a link that leads to it",
      mode: found.mode,
    };
  } finally {
    closeSync(file);
  }
}

/** True for /dev/null. A link to it masks a unit or a drop-in. */
function isNull(found: Stats): boolean {
  return found.isCharacterDevice() && found.rdev === statSync("/dev/null").rdev;
}

/** Read all bytes. A device or a file in /proc does not report its size. */
function readBytes(file: number, path: string): Uint8Array {
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const block = new Uint8Array(BLOCK_BYTES);
    const length = readSync(file, block);
    if (length === 0) return Buffer.concat(blocks, total);
    total += length;
    if (total > FILE_BYTES_MAX) throw refuse(path, `it has over ${FILE_BYTES_MAX} bytes`);
    blocks.push(block.subarray(0, length));
  }
}

/** Refuse a file that every user can write to. @throws JobError `invalid_argument` */
export function refuseOpenFile(path: string, { mode }: OwnedFile): void {
  const isFile = (mode & constants.S_IFMT) === constants.S_IFREG;
  if (!isFile || (mode & WRITABLE_BY_OTHERS) === 0) return;
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  throw refuse(path, `every user can write to it (mode ${octal})`);
}

function refuse(path: string, problem: string): JobError {
  return new JobError("invalid_argument", `Cannot import "${path}": ${problem}`);
}
