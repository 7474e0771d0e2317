import { JobError } from "../../core/errors.ts";
import type { CommandInput, CommandParameter, CommandSpec } from "../../core/job/job.ts";
import type { ParameterShape, Signature } from "../../core/arguments/signature.ts";

/** The signature of a command that declares no parameters. */
export const NO_ARGUMENTS: Signature = {
  parameters: [],
  resultCount: null,
  isTyped: true,
  warnings: [],
};

/**
 * The signature of a command, and the command with its declared parameters.
 *
 * @param declared the signature of its parameters, null if it declares none
 * @throws JobError `invalid_argument` with the path of the key at fault
 */
export function resolveCommand(
  command: CommandSpec,
  declared: Signature | null,
): { readonly command: CommandSpec; readonly signature: Signature } {
  if (declared === null) {
    checkInput(command.stdin, null);
    return { command, signature: NO_ARGUMENTS };
  }
  const parameters = declared.parameters.flatMap((parameter) => readParameter(parameter));
  const hasRest = declared.parameters.some((parameter) =>
    parameter.role === "argument" && parameter.isRest
  );
  checkInput(command.stdin, { names: parameters.map(({ name }) => name), hasRest });
  return { command: { ...command, parameters, hasRest }, signature: declared };
}

function readParameter(parameter: ParameterShape): readonly CommandParameter[] {
  const { name } = parameter;
  if (parameter.role === "injected") {
    throw paramsError(`a command takes no "${name}" of type ${parameter.inject}`);
  }
  if (parameter.isRest) return [];
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw paramsError(`"${name}" is not a valid name of an environment variable`);
  }
  const { defaultText } = parameter;
  return [{ name, initial: defaultText === undefined ? null : literalText(name, defaultText) }];
}

/** The text of a default as the command is given it. */
function literalText(name: string, source: string): string {
  const quoted = /^(["'`])([^"'`\\]*)\1$/.exec(source);
  if (quoted) return quoted[2]!;
  if (/^-?\d+(\.\d+)?$|^true$|^false$/.test(source)) return source;
  throw paramsError(`the default of "${name}" is neither a text, a number, true nor false`);
}

function checkInput(
  input: CommandInput | null,
  declared: { readonly names: readonly string[]; readonly hasRest: boolean } | null,
): void {
  if (input === null || !("arg" in input)) return;
  const { arg } = input;
  const names = declared?.names ?? [];
  const isThere = typeof arg === "string"
    ? names.includes(arg)
    : arg <= names.length || declared?.hasRest === true;
  if (isThere) return;
  const found = declared === null
    ? "the command declares no params"
    : `its params have ${names.join(", ") || "none"}`;
  throw new JobError("invalid_argument", `Cannot take "${arg}" for the standard input: ${found}`, {
    hint: 'Name a parameter of "params", or give its position, starting at 1',
    path: "stdin.arg",
  });
}

function paramsError(found: string): JobError {
  return new JobError("invalid_argument", `Cannot read params: ${found}`, { path: "params" });
}
