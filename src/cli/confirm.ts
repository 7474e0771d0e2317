import { JobError } from "../core/errors.ts";
import { countText } from "../core/text/count_text.ts";
import { makeVisible } from "../core/text/safe_text.ts";
import type { JobInstance } from "../rpc/gen/job_pb.ts";
import type { CliIo } from "./io.ts";
import { collect, lookupInstances } from "./lookup.ts";
import { usageError } from "./parsing/args.ts";
import type { QueryInit } from "./parsing/query.ts";
import type { VerbContext } from "./verb.ts";

/** Longest answer that is read, in characters. */
const ANSWER_CHARS_MAX = 1_000;
/** Before the question, instances are counted up to this many. */
const COUNT_MAX = 1_000;

async function readLine(io: CliIo): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of io.stdin) {
    line += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    if (line.includes("\n") || line.length > ANSWER_CHARS_MAX) break;
  }
  return line.split("\n", 1)[0]!.trim();
}

/** Ask a question. Returns true if the answer is yes. */
export async function ask(io: CliIo, question: string): Promise<boolean> {
  await io.stderr.write(question);
  return /^y(es)?$/i.test(await readLine(io));
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
    throw usageError(
      `Cannot ${what} without confirmation: this is not a terminal`,
      "Add --yes to confirm",
    );
  }
  if (await ask(io, `About to ${what}. Continue? [y/N] `)) return;
  throw new JobError("canceled", `Did not ${what}: the answer was not "yes"`, {
    hint: "Nothing was changed",
  });
}

/**
 * Ask before an action on every instance that matches. On a terminal there is no question if none
 * does.
 *
 * @param action.noun what the instances are called
 * @param action.which their conditions, such as ` of kind "mail"`
 * @throws JobError as {@link confirm}
 */
export async function confirmAll(
  { io, client }: VerbContext,
  query: QueryInit,
  action: {
    readonly verb: string;
    readonly noun: string;
    readonly which: string;
    /** False for instances that match and stay as they are. */
    readonly isCounted?: (instance: JobInstance) => boolean;
  },
): Promise<void> {
  const found = await collect(lookupInstances(await client(), query, COUNT_MAX));
  const { length } = action.isCounted ? found.filter(action.isCounted) : found;
  if (length === 0 && io.isInteractive) return;
  const { verb, noun, which } = action;
  const what = length === COUNT_MAX ? `${length} or more ${noun}s` : countText(length, noun);
  await confirm(io, `${verb} ${what}${which}`, false);
}
