import { isObject } from "../text/object_keys.ts";
import { dropPlaceholders } from "./convert.ts";
import { argumentsOf } from "./describe.ts";
import { openMembers } from "./open_members.ts";
import type { ArgumentInput, Signature } from "./signature.ts";

/**
 * The arguments of a call that repeats an earlier one. Arguments by position replace all; an
 * argument by name replaces only its namesake.
 *
 * @param past the arguments of the earlier call, as `convertArguments` returned them
 */
export function replaceArguments(
  signature: Signature,
  past: readonly unknown[],
  changed: ArgumentInput,
): ArgumentInput {
  if (!isObject(changed)) return changed;
  const values: Record<string, unknown> = { ...changed };
  const left = dropPlaceholders(signature, past);
  for (const parameter of argumentsOf(signature)) {
    if (left.length === 0) break;
    const value = parameter.isRest ? left.splice(0) : left.shift();
    if (Object.hasOwn(changed, parameter.name)) continue;
    // A named member belongs to the object, whose other members stay.
    const members = openMembers(parameter, signature)
      .filter(({ name }) => Object.hasOwn(changed, name)).map(({ name }) => name);
    const named = members.map((name) => [name, changed[name]]);
    for (const name of members) delete values[name];
    values[parameter.name] = members.length === 0
      ? value
      : { ...(isObject(value) ? value : {}), ...Object.fromEntries(named) };
  }
  return values;
}
