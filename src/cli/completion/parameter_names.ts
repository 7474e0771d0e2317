import { argumentsOf, describeType } from "../../core/arguments/describe.ts";
import type { Signature, TypeShape } from "../../core/arguments/signature.ts";
import { alternatives, findTarget, targetsOf } from "../parsing/named_arguments.ts";
import type { OfferedName } from "./complete_line.ts";

/**
 * The parameters of a job as options: `--day`, with the type of each.
 *
 * @param taken the verb's own options, with their dashes, which come first
 */
export function parameterOptions(signature: Signature, taken: ReadonlySet<string>): OfferedName[] {
  return targetsOf(signature).filter(({ name }) => /^[A-Za-z][\w-]*$/.test(name))
    .flatMap(({ name, shape }) => {
      const free = [`--${kebabCase(name)}`, `--${name}`].find((one) => !taken.has(one));
      return free === undefined ? [] : [{ name: free, describe: describeType(shape) }];
    });
}

/** The possible values of a parameter, if listable. @param given its name as an option */
export function valuesOf(given: string, signature: Signature): OfferedName[] {
  const target = findTarget(given, targetsOf(signature));
  return target === undefined ? [] : valuesOfShape(target.shape, signature);
}

/** The same for an argument by position, from 0. The last one may take all others. */
export function valuesAt(position: number, signature: Signature): OfferedName[] {
  const parameters = argumentsOf(signature);
  const last = parameters.at(-1);
  const found = parameters[position] ?? (last?.isRest ? last : undefined);
  return found === undefined ? [] : valuesOfShape(found.shape, signature);
}

function valuesOfShape(shape: TypeShape, signature: Signature): OfferedName[] {
  return alternatives(shape, signature).flatMap((one) => {
    switch (one.type) {
      case "boolean":
        return [{ name: "true", describe: "" }, { name: "false", describe: "" }];
      case "literal":
        return [{ name: String(one.value), describe: "" }];
      case "enum":
        return one.members.map(({ name, value }) =>
          typeof value === "string" ? { name: value, describe: name } : { name, describe: "" }
        );
      case "array":
      case "set":
        return valuesOfShape(one.element, signature);
      default:
        return [];
    }
  });
}

function kebabCase(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
