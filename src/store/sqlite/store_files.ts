import { dirname } from "node:path";
import { JobError } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { asOwner, openToOthers } from "../../platform/files/private_files.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";

const SUFFIXES = ["", "-wal", "-shm", "-owner", "-owner.json", "-commits"];

/** @throws JobError `permission_denied` for root, if other users can replace this database */
export function checkStoreTrust(path: string): void {
  for (const each of [dirname(path), ...storeFiles(path)]) {
    const problem = trustProblem(each);
    if (!problem?.isFatal) continue;
    throw new JobError("permission_denied", `Cannot open "${path}": ${problem.message}`, {
      hint: problem.hint,
    });
  }
}

/** Warn about database files that others can read or change, each with its remedy. */
export function warnOfOpenFiles(path: string, warn: (message: string) => void): void {
  const problem = trustProblem(path);
  if (problem !== null) warn(`${problem.message}: ${problem.hint}`);
  for (const { path: open, mode } of openToOthers(storeFiles(path))) {
    const shown = mode.toString(8).padStart(4, "0");
    const close = asOwner(`chmod 600 ${shellWord(open)}`, open);
    warn(`other users can read the store file "${open}" (mode ${shown}): ${close}`);
  }
}

/** The files of a database, which may exist. */
export function storeFiles(path: string): string[] {
  return SUFFIXES.map((suffix) => `${path}${suffix}`);
}
