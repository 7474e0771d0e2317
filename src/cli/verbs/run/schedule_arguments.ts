import { argumentsOf } from "../../../core/arguments/describe.ts";
import { parseJson } from "../../../core/arguments/json_text.ts";
import { messageOf } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { mergeArguments, type NamedArgument } from "../../parsing/named_arguments.ts";
import { ARGS_JSON_OPTION, type OptionSpecs, type WordSpec } from "../../parsing/options.ts";
import { signatureOf } from "../../views/signature_lines.ts";
import type { RequestOf } from "../../io/wire.ts";

type Request = RequestOf<"scheduleJob">;

/** The words of a verb that runs a job. */
export const JOB_WORDS: readonly WordSpec[] = [
  { name: "KIND", describe: "Kind of the job", offers: "kind" },
  {
    name: "ARGS",
    describe: "Its arguments, by position",
    offers: "argument",
    isOptional: true,
    isRest: true,
    canBeEmpty: true,
  },
];
/** Options for arguments that are not given as words. */
export const ARGUMENT_OPTIONS: OptionSpecs = {
  arg: {
    value: "NAME=VALUE",
    describe:
      "One argument as NAME=VALUE, for a name that is also an option, such as timeout=5; repeatable",
  },
  "args-json": ARGS_JSON_OPTION,
};

/** Options of `jobctl schedule` for a file of instances. */
export const FROM_OPTIONS: OptionSpecs = {
  from: {
    value: "FILE",
    describe: 'Queue one instance for each line of a file, a JSON object; "-" for stdin',
    offers: "file",
  },
  batch: {
    value: "NAME",
    describe: "With --from, a name that lets the same lines be queued again: ids depend on it",
  },
};

const JSON_HINT = `Write an array, '[1, "two"]', or an object, '{"x": 1}'`;

/** The arguments of a job, as on the command line. */
export interface GivenArguments {
  readonly words: readonly string[];
  readonly named: readonly NamedArgument[];
  /** Text of `--args-json`. */
  readonly json: string | undefined;
}

/**
 * Read the arguments of the command line.
 *
 * @throws JobError `invalid_argument` for conflicting forms and invalid JSON
 */
export function readArguments(args: Args): GivenArguments {
  const words = args.words("ARGS");
  const json = args.text("args-json");
  const named = [...args.named(), ...args.all("arg").map(readPair)];
  if (json !== undefined) checkJson(json, words, named);
  return { words, named: joined(named), json };
}

function readPair(text: string): NamedArgument {
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), values: [text.slice(at + 1)] };
  throw usageError(
    `Cannot read --arg "${makeVisible(text)}": it has no name and value`,
    "Write --arg NAME=VALUE",
  );
}

/** Each name once, with all its values. */
function joined(named: readonly NamedArgument[]): NamedArgument[] {
  const values = new Map<string, string[]>();
  for (const { name, values: given } of named) {
    values.set(name, [...values.get(name) ?? [], ...given]);
  }
  return [...values].map(([name, all]) => ({ name, values: all }));
}

function checkJson(
  json: string,
  words: readonly string[],
  named: readonly NamedArgument[],
): void {
  const other = words[0] ?? (named[0] && `--${named[0].name}`);
  if (other !== undefined) {
    throw usageError(
      `Cannot use --args-json with the argument "${makeVisible(other)}": they exclude each other`,
      "Give the arguments as words, by name, or as JSON",
    );
  }
  let value: unknown;
  try {
    value = parseJson(json);
  } catch (error) {
    throw usageError(
      `Cannot read --args-json "${makeVisible(json)}": not JSON (${messageOf(error)})`,
      JSON_HINT,
    );
  }
  if (typeof value === "object" && value !== null) return;
  throw usageError(
    `Cannot read --args-json "${makeVisible(json)}": neither an array nor an object`,
    JSON_HINT,
  );
}

/** The job that arguments are for. */
interface ArgumentsFor {
  readonly kind: string;
  readonly client: JobClient;
  /** Names of the verb's own options. */
  readonly options: readonly string[];
  /** True to send words, too, by the names of the parameters, if known. */
  readonly isByName?: boolean;
}

/**
 * The arguments as in a request. Arguments by name need the job's signature from the daemon.
 *
 * @throws JobError `not_found` for an unknown kind, `invalid_argument` for an unknown name
 */
export async function requestArguments(
  given: GivenArguments,
  { kind, client, options, isByName = false }: ArgumentsFor,
): Promise<Pick<Request, "arguments" | "argumentsJson">> {
  const { words, named, json } = given;
  if (json !== undefined) return { argumentsJson: json };
  if (named.length === 0 && !isByName) return { arguments: [...words] };
  const { job: found } = await client.getJob({ kind });
  const signature = found === undefined ? null : signatureOf(found);
  const isTyped = signature !== null && argumentsOf(signature).length > 0;
  if (named.length === 0 && !isTyped) return { arguments: [...words] };
  if (signature === null) {
    throw usageError(
      `Cannot give arguments by name to job "${makeVisible(kind)}": its parameters are unknown`,
      "Give them as words, or as --args-json",
    );
  }
  return {
    argumentsJson: JSON.stringify(mergeArguments(words, named, { kind, signature, options })),
  };
}
