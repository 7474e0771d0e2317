import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { JobError, messageOf } from "../../core/errors.ts";
import { fileErrorCode, writeHint } from "../../core/file_errors.ts";

/** The error of a file that could not be written, with the remedy. */
export function notWritten(path: string, cause: unknown): JobError {
  const isMissing = !existsSync(dirname(path));
  const problem = isMissing ? `there is no folder "${dirname(path)}"` : messageOf(cause);
  return new JobError(fileErrorCode(cause), `Cannot write "${path}": ${problem}`, {
    hint: isMissing
      ? "Make the folder, or choose another file"
      : writeHint(cause, "Choose a file that you may write to"),
    cause,
  });
}
