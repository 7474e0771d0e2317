import { readRegularFile } from "../../platform/files/read_file.ts";

/** Longest source that is parsed, in characters; a bundled module may be long. */
export const SOURCE_LENGTH_MAX = 4_194_304;

/**
 * Read a module file of any owner without ever blocking: its owner may replace it with a pipe or a
 * link to a device at any moment, or hold a lease on it.
 *
 * @returns null if the file is larger than `bytesMax`
 * @throws any error that prevents reading it; an Error if it is not a regular file
 */
export function readSourceFile(path: string, bytesMax: number): string | null {
  return readRegularFile(path, bytesMax)?.bytes.toString("utf8") ?? null;
}
