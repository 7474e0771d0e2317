import type { CommandSpec } from "../core/job.ts";
import type { TaskInstance } from "./protocol.ts";

/** What a command is given of its instance's arguments. */
export interface CommandArguments {
  /** What follows its own argv. */
  readonly argv: readonly string[];
  /** `JOB_ARG_1`, `JOB_ARG_2`, … as in `argv`, and `JOB_ARG_NAME` for each declared parameter. */
  readonly env: Readonly<Record<string, string>>;
  /** Text of its standard input; null for none. */
  readonly stdin: string | null;
}

/**
 * The arguments of an instance as a command takes them. One that it reads from its standard input is left out of the rest, as
 * text of any length goes there; one that is not given has its default, else is an empty text in its place and no variable.
 */
export function commandArguments(
  spec: Pick<CommandSpec, "parameters" | "stdin">,
  instance: Pick<TaskInstance, "argumentsJson">,
): CommandArguments {
  const { parameters, stdin } = spec;
  const given = JSON.parse(instance.argumentsJson) as unknown[];
  const lastDefault = parameters.findLastIndex(({ initial }) => initial !== null) + 1;
  const texts = Array.from(
    { length: Math.max(given.length, lastDefault) },
    (_, index) => argumentText(given[index]) ?? parameters[index]?.initial ?? null,
  );
  const inputAt = stdin === null || !("arg" in stdin)
    ? -1
    : typeof stdin.arg === "number"
    ? stdin.arg - 1
    : parameters.findIndex(({ name }) => name === stdin.arg);
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
