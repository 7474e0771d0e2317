import { partsOf } from "./convert_union.ts";
import { argumentsOf, describeMembers, describeType } from "./describe.ts";
import { patternMembers } from "./open_members.ts";
import type { MemberShape, Signature, TypeShape } from "./signature.ts";

/** One parameter, or one member of a destructured one, for help texts. */
export interface ParameterHelp {
  readonly name: string;
  readonly type: string;
  /** "required", "optional", or the default. */
  readonly need: string;
  readonly doc?: string;
}

/** A job's parameters for help texts. */
export interface SignatureHelp {
  readonly parameters: readonly ParameterHelp[];
  /** The members of the named types, such as `Order = { id: bigint }`. */
  readonly types: readonly string[];
  readonly result?: string;
}

/** Most named types shown. */
const TYPES_MAX = 50;

/** Describe a job's parameters for help texts. */
export function describeParameters(signature: Signature): SignatureHelp {
  const types = new Map<string, string>();
  const parameters: ParameterHelp[] = [];
  for (const parameter of argumentsOf(signature)) {
    const { shape, doc, defaultText, isRest } = parameter;
    const members = patternMembers(parameter, signature);
    if (members !== null) {
      for (const member of members) {
        collect(member.shape, types, signature);
        parameters.push(helpOf(member, parameter.isOptional));
      }
      continue;
    }
    collect(shape, types, signature);
    parameters.push({
      name: isRest ? `...${parameter.name}` : parameter.name,
      type: describeType(shape),
      need: defaultText === undefined
        ? parameter.isOptional ? "optional" : "required"
        : `default ${defaultText}`,
      doc,
    });
  }
  return {
    parameters,
    types: [...types].map(([name, text]) => `${name} = ${text}`),
    result: signature.resultText,
  };
}

/** The text of a doc comment before its first tag: tags are shown at their parameters. */
export function summaryOf(doc: string): string {
  const end = doc.search(/^@/m);
  return (end < 0 ? doc : doc.slice(0, end)).trim();
}

function helpOf({ name, shape, isOptional, doc }: MemberShape, isWhole: boolean): ParameterHelp {
  const need = isOptional || isWhole ? "optional" : "required";
  return { name, type: describeType(shape), need, doc };
}

/** Collect the named types in `shape` with their descriptions. */
function collect(shape: TypeShape, types: Map<string, string>, signature: Signature): void {
  if (types.size >= TYPES_MAX) return;
  switch (shape.type) {
    case "ref": {
      const found = signature.definitions?.[shape.name];
      if (found === undefined || types.has(shape.name)) return;
      types.set(shape.name, found.type === "object" ? describeMembers(found) : describeType(found));
      return collectParts(found, types, signature);
    }
    case "enum":
      types.set(
        shape.name,
        shape.members.map(({ name, value }) => `${name} (${JSON.stringify(value)})`).join(" | "),
      );
      return;
    case "object":
      if (shape.name !== undefined) {
        if (types.has(shape.name)) return;
        types.set(shape.name, describeMembers(shape));
      }
  }
  collectParts(shape, types, signature);
}

function collectParts(shape: TypeShape, types: Map<string, string>, signature: Signature): void {
  for (const part of partsOf(shape)) collect(part, types, signature);
}
