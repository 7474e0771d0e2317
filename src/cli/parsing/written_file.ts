import { lstatSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { errorCode, isJobError, JobError } from "../../core/errors.ts";
import { accountName } from "../../platform/system/accounts.ts";
import { notWritten } from "../../platform/files/not_written.ts";
import { PRIVATE_FILE } from "../../platform/files/private_files.ts";
import type { Args } from "./args.ts";
import { type CliIo, writeIfRead } from "../io/io.ts";
import { makeLinesVisible } from "../../core/text/safe_text.ts";
import type { OptionSpecs } from "./options.ts";

/** Options of verbs that write a file, or its text to stdout. */
export const OUT_OPTIONS: OptionSpecs = {
  out: { value: "FILE", describe: "File to write (default: stdout)", offers: "file" },
  force: { describe: "Overwrite the file of --out", isFlag: true },
};

/**
 * Write text to the file of `--out`, or to stdout.
 *
 * @throws JobError `already_exists` without `--force`; else like {@link fileErrorCode}
 */
export async function writeOut(text: string, args: Args, io: CliIo): Promise<void> {
  const out = args.text("out");
  if (out === undefined) {
    // A pipe gets the text unchanged. On a terminal, control characters are made visible.
    return await writeIfRead(io.stdout, io.isTerminal ? makeLinesVisible(text) : text);
  }
  const path = resolve(io.cwd, out);
  try {
    // Commands of a crontab may contain passwords. An existing file would keep its mode.
    const found = args.flag("force") ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    if (found?.isFile()) rmSync(path);
    else if (found) checkOwner(path, found.uid);
    const flag = found && !found.isFile() ? "w" : "wx";
    writeFileSync(path, text, { flag, mode: PRIVATE_FILE });
  } catch (error) {
    if (isJobError(error)) throw error;
    if (errorCode(error) === "EEXIST") throw alreadyExists(path);
    throw notWritten(path, error);
  }
}

/** Refuse a foreign link or pipe: it may lead anywhere. @throws JobError `permission_denied` */
function checkOwner(path: string, uid: number): void {
  if (uid === 0 || uid === process.getuid?.()) return;
  throw new JobError(
    "permission_denied",
    `Cannot write "${path}": it is not a regular file, and belongs to ${accountName(uid)}`,
    { hint: "Choose another file" },
  );
}

/** Write a message to stderr, even into a pipe. */
export async function writeMessage(io: CliIo, text: string): Promise<void> {
  await io.stderr.write(`${makeLinesVisible(text)}\n`);
}

/** The error of a file that is not overwritten without --force. */
export function alreadyExists(path: string): JobError {
  return new JobError("already_exists", `Cannot write "${path}": it already exists`, {
    hint: "Choose another file, or overwrite it with --force",
  });
}
