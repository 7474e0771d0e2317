import type { CommandSpec } from "../core/job/job.ts";
import type { ParameterShape, Signature, TypeShape } from "../core/arguments/signature.ts";

const SHELL = /^(?:a|ba|da|k|mk|z)?sh$/;
/** An expansion of an argument, at the beginning of a text. */
const EXPANSION = /^\$(?:([1-9@*])|\{([1-9@*])\}|JOB_ARG_(\w+)|\{JOB_ARG_(\w+)\})/;
/** Types whose text contains neither spaces nor file name patterns. */
const PLAIN: ReadonlySet<TypeShape["type"]> = new Set(
  ["number", "int", "duration", "boolean", "bigint", "date", "literal", "enum", "bytes", "null"],
);

/**
 * The first unquoted expansion of an argument in a job's shell line. The shell splits it into
 * words, and one of them may begin with "-". Arguments of types without spaces are skipped, and so
 * are assignments.
 *
 * @returns the expansion as written, such as `$1`; null without one, or if the command is not a
 * shell line
 */
export function unquotedArgument(command: CommandSpec, signature: Signature): string | null {
  return expansionsOutside(shellLineOf(command))
    .find(({ which }) => !isPlain(which, command, signature))?.text ?? null;
}

/** A program that executes its arguments, and the rest of its command. Quotes do not help there. */
const EVALUATION =
  /(?:^|[|;&(`\n]|\b(?:exec|sudo|nohup|time|env|then|do|else)\s)\s*(?:[^\s|;&]*\/)?(eval|parallel|rsh|ssh|watch)\s([^|;&\n]*)/g;

/**
 * The first program of a job's shell line, such as `ssh`, that executes an argument of the job.
 * Arguments of types without spaces are skipped.
 *
 * @returns its name; null without one, or if the command is not a shell line
 */
export function evaluatingProgram(command: CommandSpec, signature: Signature): string | null {
  for (const [, program, rest] of shellLineOf(command).matchAll(EVALUATION)) {
    // Nothing is expanded in single quotes, unless they are inside double quotes.
    const text = rest!.replace(/("(?:\\.|[^"\\])*")|'[^']*'/g, "$1");
    for (const { index } of text.matchAll(/\$/g)) {
      const match = EXPANSION.exec(text.slice(index, index + 200));
      if (match !== null && !isPlain(whichOf(match), command, signature)) return program!;
    }
  }
  return null;
}

/** The line of a command that a shell runs; empty for a program with arguments. */
function shellLineOf({ argv }: CommandSpec): string {
  const [line, name] = [argv.at(-2), argv.at(-1)];
  return name === "jobctl" && SHELL.test(argv[0]!.split("/").at(-1)!) ? line! : "";
}

/** The name or number of the argument that {@link EXPANSION} found. */
function whichOf(match: RegExpExecArray): string {
  return match.slice(1).find((part) => part !== undefined)!;
}

/** True if the texts of an expansion have no spaces: one argument, or all for `@` and `*`. */
function isPlain(
  which: string,
  { stdin, parameters }: CommandSpec,
  { parameters: declared }: Signature,
): boolean {
  const input = stdin !== null && "arg" in stdin ? stdin.arg : null;
  const args = declared.filter((one): one is ParameterShape & { readonly role: "argument" } =>
    one.role === "argument"
  ).filter((one, index) => one.name !== input && index + 1 !== input);
  if (which === "@" || which === "*") return args.every(({ shape }) => isPlainShape(shape));
  const one = parameters.some(({ name }) => name === which)
    ? args.find(({ name }) => name === which)
    : args[Number(which) - 1] ?? args.find(({ isRest }) => isRest);
  return one === undefined || isPlainShape(one.shape);
}

function isPlainShape(shape: TypeShape): boolean {
  if (shape.type === "literal") return !/[\s*?[]/.test(String(shape.value));
  if (shape.type === "union") return shape.members.every(isPlainShape);
  if (shape.type === "array") return isPlainShape(shape.element);
  return PLAIN.has(shape.type);
}

/** Unquoted expansions of arguments, in order. */
function expansionsOutside(
  line: string,
): readonly { readonly text: string; readonly which: string }[] {
  const found: { text: string; which: string }[] = [];
  /** The quotes and `$( … )` around the current position, innermost last. */
  const around: ('"' | "(")[] = [];
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    const isQuoted = around.at(-1) === '"';
    if (character === "\\") at++;
    else if (character === "'" && !isQuoted) {
      const end = line.indexOf("'", at + 1);
      if (end < 0) break;
      at = end;
    } else if (character === '"') {
      if (isQuoted) around.pop();
      else around.push('"');
    } else if (character === "$" && line[at + 1] === "(") {
      around.push("(");
      at++;
    } else if (character === "(" && !isQuoted) around.push("(");
    else if (character === ")" && around.at(-1) === "(") around.pop();
    else if (character === "$" && !isQuoted) {
      const match = EXPANSION.exec(line.slice(at, at + 200));
      if (match === null || /(?:^|[\s;&|(])\w+=$/.test(line.slice(Math.max(0, at - 100), at))) {
        continue;
      }
      found.push({ text: match[0], which: whichOf(match) });
      at += match[0].length - 1;
    }
  }
  return found;
}
