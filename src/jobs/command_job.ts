import { JobError } from "../core/errors.ts";
import type { CommandInput, CommandParameter, CommandSpec } from "../core/job.ts";
import type { ParameterShape, Signature } from "../core/signature.ts";
import { parseParams } from "./read_signature.ts";

/** The signature of a command that declares no parameters: whatever it is given becomes its arguments. */
const ANY_ARGUMENTS: Signature = {
  parameters: [{
    role: "argument",
    name: "arguments",
    shape: { type: "array", element: { type: "string" } },
    isOptional: true,
    isRest: true,
  }],
  resultCount: null,
  isTyped: false,
  warnings: [],
};

/**
 * How a command is called, and the command with what it declares.
 *
 * @param params its parameters as text, null when it declares none
 * @throws JobError `invalid_argument` with the path of the key at fault
 */
export function resolveCommand(
  command: CommandSpec,
  params: string | null,
): { readonly command: CommandSpec; readonly signature: Signature } {
  if (params === null) {
    checkInput(command.stdin, null);
    return { command, signature: ANY_ARGUMENTS };
  }
  const signature = parseParams(params);
  const parameters = signature.parameters.flatMap((parameter) => readParameter(parameter));
  checkInput(command.stdin, parameters.map(({ name }) => name));
  return { command: { ...command, parameters }, signature };
}

function readParameter(parameter: ParameterShape): readonly CommandParameter[] {
  const { name } = parameter;
  if (parameter.role === "injected") {
    throw paramsError(`a command takes no "${name}" of type ${parameter.inject}`);
  }
  if (parameter.isRest) return [];
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw paramsError(`"${name}" is no name of an environment variable`);
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

function checkInput(input: CommandInput | null, names: readonly string[] | null): void {
  if (input === null || !("arg" in input)) return;
  const { arg } = input;
  if (typeof arg === "number" || names?.includes(arg)) return;
  const found = names === null
    ? "the command declares no params"
    : `its params have ${names.join(", ") || "none"}`;
  throw new JobError("invalid_argument", `Cannot take "${arg}" for the standard input: ${found}`, {
    hint: 'Name a parameter of "params", or give the position of the argument, 1 for the first',
    path: "stdin.arg",
  });
}

function paramsError(found: string): JobError {
  return new JobError("invalid_argument", `Cannot read params: ${found}`, { path: "params" });
}
