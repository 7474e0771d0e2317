import { argumentsOf } from "../../../core/arguments/describe.ts";
import { isJobError, JobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { signatureOf } from "../../views/signature_lines.ts";
import type { GivenArguments } from "./schedule_arguments.ts";

// Hints about a job and arguments that the daemon refused.

/** The arguments as they are written on the command line, each after a space. */
export function argumentsText({ words, named, json }: GivenArguments): string {
  const options = named.flatMap(({ name, values }) =>
    values.length === 0 ? [`--${name}`] : values.flatMap((value) => [`--${name}`, value])
  );
  const all = [...words, ...options, ...(json === undefined ? [] : ["--args-json", json])];
  return all.map((word) => ` ${makeVisible(shellWord(word))}`).join("");
}

/**
 * The error for refused arguments. If some were given by name and others are missing, its hint also
 * has the command that keeps the last run's arguments.
 */
export async function withRetryHint(
  error: unknown,
  { kind, given, client }: {
    readonly kind: string;
    readonly given: GivenArguments;
    readonly client: JobClient;
  },
): Promise<unknown> {
  if (!isJobError(error, "invalid_argument") || given.named.length === 0) return error;
  const { job } = await client.getJob({ kind });
  const signature = job === undefined ? null : signatureOf(job);
  if (signature === null) return error;
  const needed = argumentsOf(signature).filter(({ isOptional, isRest }) => !isOptional && !isRest);
  if (given.words.length + given.named.length >= needed.length) return error;
  const retry = `jobctl retry last:${makeVisible(shellWord(kind))}${argumentsText(given)}`;
  return withHint(error, `To keep the other arguments of its last run: ${retry}`);
}

/** The error for an unknown kind. With more words, it may be meant as a command. */
export function noCommand(error: unknown, word: string, { words }: GivenArguments): unknown {
  const isKind = isJobError(error, "not_found") && error.path === "kind";
  if (!isKind || (words.length === 0 && !/[\s/]/.test(word))) return error;
  return withHint(error, "To run a command once: jobctl docs howto/everyday#run-a-command-once");
}

function withHint(error: JobError, more: string): JobError {
  const { code, message, hint, path, options } = error;
  return new JobError(code, message, {
    hint: hint === undefined ? more : `${hint}\n${more}`,
    options,
    cause: error,
    ...(path === undefined ? {} : { path }),
  });
}
