import { chmodSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A file without a name, which is gone once the last process that has it open closes it. Every user to whom the descriptor is
 * given may open it again as `/dev/fd/N`; nobody else can.
 *
 * @returns the file descriptor, at the beginning of the file
 * @throws whatever keeps a file from being made in the temporary directory
 */
export function openUnnamedFile(
  options: { readonly text: string; readonly isWritable: boolean },
): number {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-file-"));
  try {
    const path = join(folder, "file");
    writeFileSync(path, options.text);
    chmodSync(path, options.isWritable ? 0o666 : 0o444);
    return openSync(path, options.isWritable ? "r+" : "r");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
