import { checkCommandArguments, inputIndexOf } from "../core/job/command_arguments.ts";
import type { CommandSpec } from "../core/job/job.ts";
import type { TaskInstance } from "../worker/protocol.ts";

/** Form in which a command receives its instance's arguments. */
export interface CommandArguments {
  /** Appended to its own argv. */
  readonly argv: readonly string[];
  /** `JOB_ARG_1`, `JOB_ARG_2`, … as in `argv`, and `JOB_ARG_NAME` for each declared parameter. */
  readonly env: Readonly<Record<string, string>>;
  /** Text of its standard input; null for none. */
  readonly stdin: string | null;
}

/**
 * The arguments of an instance in the form that a command takes. The argument for its standard
 * input, which may have any length, is passed in no other way. A missing argument has its default;
 * without a default it is an empty text and has no variable.
 *
 * @throws JobError `invalid_argument` for an argument that the command's table does not allow
 */
export function commandArguments(
  spec: Pick<CommandSpec, "parameters" | "stdin" | "hasRest" | "allowsDash">,
  instance: Pick<TaskInstance, "argumentsJson" | "kind">,
): CommandArguments {
  const { parameters, stdin } = spec;
  const given = JSON.parse(instance.argumentsJson) as unknown[];
  // They were checked when the instance was accepted, but perhaps against another table, or by
  // another writer of a shared store.
  checkCommandArguments(instance.kind, spec, given);
  const lastDefault = parameters.findLastIndex(({ initial }) => initial !== null) + 1;
  const texts = Array.from(
    { length: Math.max(given.length, lastDefault) },
    (_, index) => argumentText(given[index]) ?? parameters[index]?.initial ?? null,
  );
  const inputAt = inputIndexOf(spec);
  const argv: string[] = [];
  const env: Record<string, string> = {};
  for (const [index, text] of texts.entries()) {
    if (index === inputAt) continue;
    argv.push(text ?? "");
    if (text === null) continue;
    env[`JOB_ARG_${argv.length}`] = text;
    const name = parameters[index]?.name;
    if (name !== undefined) env[`JOB_ARG_${name}`] = text;
  }
  const json = inputAt < 0
    ? instance.argumentsJson
    : JSON.stringify(given.map((value, index) => index === inputAt ? null : value));
  const text = stdin !== null && "text" in stdin ? stdin.text : texts[inputAt] ?? null;
  return { argv, env: { ...env, JOB_ARGS_JSON: json }, stdin: text };
}

function argumentText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
