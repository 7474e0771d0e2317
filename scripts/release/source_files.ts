// Files of the source as a release ships them.
import type { Buffer } from "node:buffer";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A file: its path in what is made, its bytes, and the permission bits. */
export interface SourceFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

/**
 * A file, or all files below a folder, sorted by name.
 *
 * @param from path in the source
 * @param to path in what is made
 */
export function sourceFiles(from: string, to: string): readonly SourceFile[] {
  const found = statSync(from);
  if (found.isFile()) {
    // The mode in the working tree depends on the umask; git only keeps whether it is executable.
    const mode = found.mode & 0o100 ? 0o755 : 0o644;
    return [{ path: to, bytes: readFileSync(from), mode }];
  }
  return readdirSync(from).sort().flatMap((name) => sourceFiles(join(from, name), `${to}/${name}`));
}
