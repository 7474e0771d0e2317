import { JobError } from "../core/errors.ts";
import type { CliIo } from "./io.ts";
import { makeVisible } from "../core/text/safe_text.ts";

/** Longest answer that is read, in characters. */
const ANSWER_CHARS_MAX = 1_000;

async function readLine(io: CliIo): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of io.stdin) {
    line += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    if (line.includes("\n") || line.length > ANSWER_CHARS_MAX) break;
  }
  return line.split("\n", 1)[0]!.trim();
}

/**
 * Ask before an action that cannot be undone.
 *
 * @param action such as "cancel 3 instances"
 * @throws JobError `canceled` if the answer is no, `invalid_argument` without a terminal
 */
export async function confirm(io: CliIo, action: string, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return;
  const what = makeVisible(action);
  if (!io.isInteractive) {
    throw new JobError(
      "invalid_argument",
      `Cannot ${what} without confirmation: this is not a terminal`,
      {
        hint: "Add --yes to confirm",
      },
    );
  }
  await io.stderr.write(`About to ${what}. Continue? [y/N] `);
  if (/^y(es)?$/i.test(await readLine(io))) return;
  throw new JobError("canceled", `Did not ${what}: the answer was not "yes"`, {
    hint: "Nothing was changed",
  });
}
