import { argumentsOf } from "../../core/arguments/describe.ts";
import { openMembers } from "../../core/arguments/open_members.ts";
import type { Signature } from "../../core/arguments/signature.ts";
import { JobError } from "../../core/errors.ts";
import type { JobHook } from "../../core/hooks/hook.ts";
import type { JobTable } from "../../core/job/job_table.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { TableError } from "./table_error.ts";

/** A value that callers may name, and whether it is required. */
interface Named {
  readonly name: string;
  readonly isRequired: boolean;
  /** Names that together stand for it: the members of an object. */
  readonly members: readonly { readonly name: string; readonly isRequired: boolean }[];
  /** False for a destructured parameter, whose name no caller knows. */
  readonly isKnown: boolean;
}

/**
 * The hook of a table, as part of its job.
 *
 * @throws TableError if it passes an unknown argument, or omits a required one
 */
export function hookOf(
  { kind, hook, placeOf }: Pick<JobTable, "kind" | "hook" | "placeOf">,
  signature: Signature,
): { readonly hook?: JobHook } {
  if (!hook) return {};
  const parameters = namedOf(signature);
  const given = new Set(hook.arguments.map(({ name }) => name));
  const passed = hook.arguments.map(({ name, from }) => {
    const found = find(parameters, name, signature);
    if (typeof found === "object") return { name, from, isRequired: found.isRequired };
    const shown = typeof name === "number" ? `argument ${name + 1}` : `argument "${name}"`;
    const error = new JobError(
      "invalid_argument",
      `Cannot pass ${shown} to job "${kind}": ${
        parameters.length === 0 ? "it takes none" : "it has no such argument"
      }`,
      { hint: found ?? hintFor(parameters) },
    );
    throw new TableError(error, placeOf("hook", "arguments", name), "hook.arguments");
  });
  const missing = signature.isTyped ? missingOf(parameters, given) : null;
  if (missing === null) return { hook: { ...hook, arguments: passed } };
  const error = new JobError(
    "invalid_argument",
    `Cannot start job "${kind}" by its hook: it needs argument "${missing}"`,
    { hint: `Say where requests have it: hook.arguments = { ${missing} = "$.${missing}" }` },
  );
  throw new TableError(error, placeOf("hook"), "hook.arguments");
}

function namedOf(signature: Signature): readonly Named[] {
  return argumentsOf(signature).map((parameter) => {
    const members = openMembers(parameter, signature)
      .map(({ name, isOptional }) => ({ name, isRequired: !isOptional }));
    return {
      name: parameter.name,
      isRequired: !parameter.isOptional && !parameter.isRest,
      members,
      isKnown: parameter.isPattern !== true || members.length === 0,
    };
  });
}

/** The argument that a name or position refers to; otherwise a hint, if there is one. */
function find(
  parameters: readonly Named[],
  name: string | number,
  signature: Signature,
): { readonly isRequired: boolean } | string | undefined {
  if (typeof name === "number") {
    const last = argumentsOf(signature).at(-1);
    if (name < parameters.length) return parameters[name]!;
    return last?.isRest || !signature.isTyped ? { isRequired: false } : undefined;
  }
  const own = parameters.find((one) => one.isKnown && one.name === name) ??
    parameters.flatMap(({ members }) => members).find((one) => one.name === name);
  return own ?? didYouMean(name, namesOf(parameters));
}

function namesOf(parameters: readonly Named[]): string[] {
  return parameters.flatMap(({ name, members, isKnown }) => [
    ...(isKnown ? [name] : []),
    ...members.map((member) => member.name),
  ]);
}

function hintFor(parameters: readonly Named[]): string {
  if (parameters.length > 0) return `Its arguments: ${namesOf(parameters).join(", ")}`;
  return 'A command takes those that its table declares, such as params = "ref: string"';
}

/** The first required argument that the hook does not pass; null if it passes all. */
function missingOf(
  parameters: readonly Named[],
  given: ReadonlySet<string | number>,
): string | null {
  for (const [position, { name, isRequired, members, isKnown }] of parameters.entries()) {
    if (given.has(position) || isKnown && given.has(name)) continue;
    const isInParts = members.some((member) => given.has(member.name));
    if (!isRequired && !isInParts) continue;
    if (isKnown && !isInParts) return name;
    const lacking = members.find((member) => member.isRequired && !given.has(member.name));
    if (lacking) return lacking.name;
  }
  return null;
}
