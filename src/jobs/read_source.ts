import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { Buffer } from "node:buffer";

/** First room for a file whose size the system does not know. */
const BLOCK_BYTES = 65_536;

/**
 * Read a file of a module, whoever it belongs to, without ever waiting for it: its owner may put a pipe or a link to a device in
 * its place at any moment, or hold it by a lease.
 *
 * @returns null for a file that is larger than `bytesMax`
 * @throws what keeps it from being read; an Error for one that is no regular file
 */
export function readSourceFile(path: string, bytesMax: number): string | null {
  const { O_RDONLY, O_NONBLOCK } = constants;
  // Windows has no such flag, and no such files.
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
