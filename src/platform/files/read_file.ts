import { Buffer } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { permissionsOf } from "./private_files.ts";

/** Initial buffer for a file of unknown size. */
const BLOCK_BYTES = 65_536;

/** A descriptor that this process was started with, as in `--cert <(command)`. */
const DESCRIPTOR = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/** The text of a file of the system, for example in /proc; null if unreadable. */
export function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** A file that was read whole. */
export interface ReadFile {
  readonly bytes: Buffer;
  /** Like `permissionsOf`. */
  readonly mode: number;
}

/**
 * Read a regular file without ever blocking: a pipe, a device or a link to one may take its place
 * at any moment. A descriptor that this process was given is read, too.
 *
 * @returns null if the file is larger than `bytesMax`
 * @throws any error that prevents reading it; an Error with the code ENOTREG if it is not a regular
 * file
 */
export function readRegularFile(path: string, bytesMax: number): ReadFile | null {
  const { O_RDONLY, O_NONBLOCK } = constants;
  const isDescriptor = DESCRIPTOR.test(path);
  // Windows has neither this flag nor such files.
  const file = openSync(path, isDescriptor ? O_RDONLY : O_RDONLY | (O_NONBLOCK ?? 0));
  try {
    const found = fstatSync(file);
    const isDirectory = found.isDirectory();
    if (isDirectory || (!isDescriptor && !found.isFile())) {
      const code = isDirectory ? "EISDIR" : "ENOTREG";
      throw Object.assign(new Error("it is not a regular file"), { code });
    }
    if (found.size > bytesMax) return null;
    let bytes = Buffer.alloc(Math.max(found.size + 1, BLOCK_BYTES));
    let length = 0;
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null);
      length += count;
      if (length > bytesMax) return null;
      if (count === 0) return { bytes: bytes.subarray(0, length), mode: permissionsOf(found) };
      if (length === bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(bytes.length)]);
    }
  } finally {
    closeSync(file);
  }
}
