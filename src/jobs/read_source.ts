import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { Buffer } from "node:buffer";

/** Initial buffer for a file of unknown size. */
const BLOCK_BYTES = 65_536;

/**
 * Read a module file of any owner without ever blocking: its owner may replace it with a pipe or a
 * link to a device at any moment, or hold a lease on it.
 *
 * @returns null if the file is larger than `bytesMax`
 * @throws whatever prevents reading it; an Error if it is not a regular file
 */
export function readSourceFile(path: string, bytesMax: number): string | null {
  const { O_RDONLY, O_NONBLOCK } = constants;
  // Windows has neither this flag nor such files.
  const file = openSync(path, O_RDONLY | (O_NONBLOCK ?? 0));
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new Error("it is not a regular file");
    if (found.size > bytesMax) return null;
    let bytes = Buffer.alloc(Math.max(found.size + 1, BLOCK_BYTES));
    let length = 0;
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null);
      length += count;
      if (length > bytesMax) return null;
      if (count === 0) return bytes.toString("utf8", 0, length);
      if (length === bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(bytes.length)]);
    }
  } finally {
    closeSync(file);
  }
}
