import { JobError } from "../errors.ts";
import type { CommandSpec } from "./job.ts";

/**
 * Check converted arguments against the limits of a command. An argument read from standard input
 * may be anything.
 *
 * An argument that begins with "-" would be read as an option, and an option of `tar` or `ssh` can
 * run a program.
 *
 * @throws JobError `invalid_argument` with the path of the argument
 */
export function checkCommandArguments(
  kind: string,
  spec: Pick<CommandSpec, "parameters" | "stdin" | "hasRest" | "allowsDash">,
  values: readonly unknown[],
): void {
  const { parameters, hasRest, allowsDash } = spec;
  if (values.length > parameters.length && !hasRest) {
    throw new JobError(
      "invalid_argument",
      `Cannot pass ${values.length} arguments to job "${kind}": ` +
        `its table declares ${parameters.length === 0 ? "none" : parameters.length}`,
      { hint: `Declare them in the table: params = "path: string"` },
    );
  }
  const input = inputIndexOf(spec);
  for (const [index, value] of values.entries()) {
    if (index === input) continue;
    const name = parameters[index]?.name ?? String(index + 1);
    // The text of other types never begins with these.
    const text = ["string", "number", "bigint"].includes(typeof value) ? String(value) : "";
    if (text.includes("\0")) {
      throw refusal(kind, name, {
        found: "it contains a NUL, which a command line cannot hold",
        hint: 'Pass it on standard input: stdin = { arg = "…" }',
      });
    }
    if (text.startsWith("-") && !allowsDash) {
      throw refusal(kind, name, {
        found: `${JSON.stringify(text.slice(0, 40))} begins with "-", as an option does`,
        hint:
          'Write a path as "./-name". If the command cannot mistake it for an option, let its table say ' +
          "allow_dash = true",
      });
    }
  }
}

/** Position of the argument that a command reads from its standard input, from 0; -1 for none. */
export function inputIndexOf(
  { stdin, parameters }: Pick<CommandSpec, "parameters" | "stdin">,
): number {
  if (stdin === null || !("arg" in stdin)) return -1;
  const { arg } = stdin;
  return typeof arg === "number" ? arg - 1 : parameters.findIndex(({ name }) => name === arg);
}

function refusal(
  kind: string,
  name: string,
  { found, hint }: { readonly found: string; readonly hint: string },
): JobError {
  return new JobError(
    "invalid_argument",
    `Cannot pass argument "${name}" to job "${kind}": ${found}`,
    { path: name, hint },
  );
}
