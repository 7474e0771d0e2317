import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { momentaryFolder } from "../../platform/process/pipe.ts";

/** Linux: a file that never has a name, so that nothing can remain. */
const O_TMPFILE = 0o20200000;
/** Mode of a file that every process that inherits it may write. */
export const WRITABLE = 0o666;

/**
 * Create a file without a name, which is gone once the last process closes it. A process that
 * inherits the descriptor may reopen it as `/dev/fd/N`, as any user; others cannot.
 *
 * @returns the file descriptor, at the beginning of the file
 * @throws any error that prevents a file in the temporary directory
 */
export function openUnnamedFile(
  options: { readonly text: string; readonly isWritable: boolean },
): number {
  const { text, isWritable } = options;
  const mode = isWritable ? WRITABLE : 0o444;
  const written = writeNameless(text);
  if (written === null) return openNamed(text, mode);
  try {
    fchmodSync(written, mode);
    return reopen(written, isWritable ? "r+" : "r");
  } finally {
    closeSync(written);
  }
}

/**
 * Another descriptor of a file: at its beginning, without the flags and locks of the first. Linux
 * only.
 *
 * @throws any error that prevents it
 */
export function reopen(file: number, flags: "r" | "r+"): number {
  return openSync(`/proc/self/fd/${file}`, flags);
}

/** Null if the system, or the file system of the temporary directory, does not support this. */
function writeNameless(text: string): number | null {
  if (process.platform !== "linux") return null;
  let file: number;
  try {
    file = openSync(tmpdir(), constants.O_RDWR | O_TMPFILE, 0o600);
  } catch {
    return null;
  }
  try {
    writeFileSync(file, text);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function openNamed(text: string, mode: number): number {
  const folder = momentaryFolder("file");
  try {
    const path = join(folder, "file");
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, mode);
    return openSync(path, (mode & 0o200) === 0 ? "r" : "r+");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
