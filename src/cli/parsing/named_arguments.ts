import { argumentsOf } from "../../core/arguments/describe.ts";
import { resolveShape } from "../../core/arguments/convert_union.ts";
import { openMembers } from "../../core/arguments/open_members.ts";
import type { Signature, TypeShape } from "../../core/arguments/signature.ts";
import { needsValue, usageError } from "./args.ts";
import { optionHint } from "./guesses.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** Options for the time of a job. */
const LATER_OPTIONS: readonly string[] = ["in", "at", "cron"];

/** An argument by name; without a value, it has no values. */
export interface NamedArgument {
  readonly name: string;
  readonly values: readonly string[];
}

/** A name that an argument can have: a parameter, or a member of a destructured one. */
export interface Target {
  readonly name: string;
  readonly shape: TypeShape;
  readonly isRest: boolean;
}

/** The job that the arguments are for. */
export interface NamedContext {
  readonly kind: string;
  readonly signature: Signature;
  /** Names of the verb's own options, for "did you mean". */
  readonly options: readonly string[];
}

/**
 * The arguments of the command line by name. Words are for the first parameters, options for the
 * parameters that they name, also in kebab-case. A repeated option is a list, and so is an option
 * for a list parameter. An option without a value is true.
 *
 * @throws JobError `invalid_argument` for an unknown or repeated name, or a missing value
 */
export function mergeArguments(
  words: readonly string[],
  named: readonly NamedArgument[],
  context: NamedContext,
): Readonly<Record<string, unknown>> {
  const values = new Map<string, unknown>();
  const rest = [...words];
  for (const parameter of argumentsOf(context.signature)) {
    if (rest.length === 0) break;
    values.set(parameter.name, parameter.isRest ? rest.splice(0) : rest.shift());
  }
  if (rest.length > 0) {
    throw usageError(
      `Cannot schedule job "${makeVisible(context.kind)}" with the argument "${
        makeVisible(rest[0]!)
      }": it takes no more arguments by position`,
      describeHint(context.kind),
    );
  }
  const targets = targetsOf(context.signature);
  for (const { name, values: texts } of named) {
    const target = neededTarget(name, targets, context);
    if (values.has(target.name)) {
      throw usageError(
        `Cannot give "${makeVisible(target.name)}" twice: once by position or name is enough`,
        describeHint(context.kind),
      );
    }
    values.set(target.name, valueOf(target, texts, context.signature));
  }
  return Object.fromEntries(values);
}

function describeHint(kind: string): string {
  return `See jobctl describe job ${makeVisible(shellWord(kind))}`;
}

/** Every name that an argument can have. */
export function targetsOf(signature: Signature): readonly Target[] {
  return argumentsOf(signature).flatMap((parameter) => [
    parameter,
    ...openMembers(parameter, signature).map(({ name, shape }) => ({ name, shape, isRest: false })),
  ]);
}

/** The target that an option names, also in kebab-case. */
export function findTarget(name: string, targets: readonly Target[]): Target | undefined {
  return targets.find((target) => target.name === name) ??
    targets.find((target) => target.name === camelCase(name)) ??
    targets.find((target) => target.name === name.replaceAll("-", "_"));
}

function camelCase(name: string): string {
  return name.replaceAll(/-+(.)/g, (_, letter: string) => letter.toUpperCase());
}

function neededTarget(name: string, targets: readonly Target[], context: NamedContext): Target {
  const found = findTarget(name, targets);
  if (found !== undefined) return found;
  // With one letter, --id would suggest an option such as --in, which delays the job.
  const options = context.options.filter((option) => option.length > 2);
  const names = targets.map((target) => target.name);
  throw usageError(
    `Cannot schedule job "${makeVisible(context.kind)}" with "--${
      makeVisible(name)
    }": no such option or argument`,
    memberHint([name, camelCase(name)], targets, context) ?? laterHint(name, context) ??
      optionHint(name, options, names) ?? describeHint(context.kind),
  );
}

/** The verb with the option, for a verb that only runs jobs now. */
function laterHint(name: string, { kind, options }: NamedContext): string | undefined {
  if (!LATER_OPTIONS.includes(name) || options.includes(name)) return undefined;
  return `Did you mean "jobctl schedule ${makeVisible(shellWord(kind))} --${name}"?`;
}

/** The form for a member of an object parameter; undefined if no parameter has the member. */
function memberHint(
  names: readonly string[],
  targets: readonly Target[],
  { signature }: NamedContext,
): string | undefined {
  for (const { name, shape } of targets) {
    const members = alternatives(shape, signature)
      .flatMap((found) => found.type === "object" ? found.members : []);
    const member = members.find((found) => names.includes(found.name));
    if (member) return `Give it as --${name} '{"${member.name}": …}'`;
  }
  return undefined;
}

function valueOf(target: Target, texts: readonly string[], signature: Signature): unknown {
  const shapes = alternatives(target.shape, signature);
  const isList = target.isRest ||
    shapes.some(({ type }) => type === "array" || type === "set" || type === "tuple");
  if (texts.length === 0) {
    const isFlag = shapes.some((shape) =>
      shape.type === "boolean" || shape.type === "unknown" ||
      (shape.type === "literal" && shape.value === true)
    );
    if (isFlag) return true;
    throw needsValue(target.name);
  }
  if (texts.length > 1 || (isList && !/^\s*\[/.test(texts[0]!) && isListOnly(target, shapes))) {
    if (isList) return texts;
    throw usageError(
      `Cannot give "${makeVisible(target.name)}" ${texts.length} times: it is not a list`,
      "Give it once",
    );
  }
  return texts[0];
}

// For a union of text and a list, "a" is the text.
function isListOnly(target: Target, shapes: readonly TypeShape[]): boolean {
  return target.isRest || !shapes.some(({ type }) => type === "string" || type === "unknown");
}

/** The members of a union, or the type itself. */
export function alternatives(shape: TypeShape, signature: Signature): readonly TypeShape[] {
  const found = resolveShape(shape, signature.definitions ?? {});
  return found.type === "union"
    ? found.members.map((member) => resolveShape(member, signature.definitions ?? {}))
    : [found];
}
