import { JobError } from "../../core/errors.ts";
import { countText } from "../../core/text/count_text.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { JobInstance } from "../../rpc/gen/job_pb.ts";
import type { CliIo } from "../io/io.ts";
import { collect, lookupInstances } from "./lookup.ts";
import { usageError } from "../parsing/args.ts";
import type { QueryInit } from "../parsing/query.ts";
import type { VerbContext } from "../verb/verb.ts";

/** Longest answer that is read, in characters. */
const ANSWER_CHARS_MAX = 1_000;
/** Up to this many matching instances are looked up and counted here; the daemon counts more. */
const LOOKUP_MAX = 1_000;
/** The daemon counts up to this many. */
const COUNT_MAX = 100_000;

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
 * @param option that confirms it on the command line
 * @throws JobError `canceled` if the answer is no, `invalid_argument` without a terminal
 */
export async function confirm(
  io: CliIo,
  action: string,
  isConfirmed: boolean,
  option: "--yes" | "--all" = "--yes",
): Promise<void> {
  if (isConfirmed) return;
  const what = makeVisible(action);
  if (!io.isInteractive) {
    throw usageError(
      `Cannot ${what} without confirmation: this is not a terminal`,
      `Add ${option} to confirm`,
    );
  }
  if (await ask(io, `About to ${what}. Continue? [y/N] `)) return;
  throw new JobError("canceled", `Did not ${what}: the answer was not "yes"`, {
    hint: "Nothing was changed",
  });
}

/** Description of an action's instances in a question. */
export interface Matching {
  readonly noun: string;
  /** "cancel" or "redrive": the daemon counts the instances that it would change. */
  readonly action: string;
  /** Their conditions, such as ` of kind "mail"`. */
  readonly which: string;
  /** False for matching instances that the action skips. */
  readonly isCounted?: (instance: JobInstance) => boolean;
}

/**
 * Ask before an action on every matching instance. On a terminal it does not ask if none matches.
 *
 * @throws JobError like {@link confirm}
 */
export async function confirmAll(
  { io, client }: VerbContext,
  query: QueryInit,
  action: Matching & { readonly verb: string },
): Promise<void> {
  const { instances, text } = await findMatching(await client(), query, action);
  if (instances.length === 0 && io.isInteractive) return;
  await confirm(io, `${action.verb} ${text}`, false);
}

/** The first 1,000 matching instances, and their number: `3 instances of kind "mail"`. */
export async function findMatching(
  client: JobClient,
  query: QueryInit,
  { noun, which, action, isCounted }: Matching,
): Promise<{ readonly instances: readonly JobInstance[]; readonly text: string }> {
  const found = await collect(lookupInstances(client, query, LOOKUP_MAX));
  const instances = isCounted ? found.filter(isCounted) : found;
  if (found.length < LOOKUP_MAX) {
    return { instances, text: countText(instances.length, noun) + which };
  }
  const { count, hasMore } = await client.countInstances({ query, max: COUNT_MAX, action });
  return { instances, text: `${count}${hasMore ? " or more" : ""} ${noun}s${which}` };
}
