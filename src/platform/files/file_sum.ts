import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";

/** A larger file has no checksum: reading this one takes 50 ms of processor time. */
const SUM_BYTES_MAX = 128 * 2 ** 20;
const READ_BYTES = 2 ** 20;

/** The content of a file that nobody has open, in comparable form. */
export interface FileSum {
  readonly bytes: number;
  readonly crc: number;
  /** When it was last written, epoch ms: damage on the disk does not change it. */
  readonly modifiedAt: number;
}

/** The checksum of a file; null if it is too large or cannot be read. */
export function sumOfFile(path: string): FileSum | null {
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    const { size, mtimeMs } = fstatSync(file);
    if (size > SUM_BYTES_MAX) return null;
    const chunk = Buffer.alloc(Math.min(READ_BYTES, size));
    let [crc, bytes] = [0, 0];
    while (bytes < size) {
      const read = readSync(file, chunk, 0, chunk.length, bytes);
      if (read === 0) break;
      crc = crc32(chunk.subarray(0, read), crc);
      bytes += read;
    }
    return { bytes, crc, modifiedAt: Math.floor(mtimeMs) };
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** The checksum in a file that was read; null for anything else. */
export function readFileSum(read: unknown): FileSum | null {
  if (typeof read !== "object" || read === null) return null;
  const { bytes, crc, modifiedAt } = read as FileSum;
  const isWhole = [bytes, crc, modifiedAt].every((value) => Number.isSafeInteger(value));
  return isWhole ? { bytes, crc, modifiedAt } : null;
}
