import type { ParameterShape, Signature, TupleElement, TypeShape } from "./signature.ts";

const NAMES: Readonly<Partial<Record<TypeShape["type"], string>>> = {
  date: "Date",
  int: "Int",
  duration: "Duration",
  url: "URL",
  bytes: "Uint8Array",
};

/** A type in TypeScript; named object types by their name. */
export function describeType(shape: TypeShape): string {
  switch (shape.type) {
    case "literal":
      return JSON.stringify(shape.value);
    case "enum":
    case "ref":
      return shape.name;
    case "array":
      return `${bracketed(shape.element)}[]`;
    case "tuple":
      return `[${shape.elements.map(describeElement).join(", ")}]`;
    case "union":
      return shape.members.length === 0 ? "never" : shape.members.map(describeType).join(" | ");
    case "object":
      return shape.name ?? describeMembers(shape);
    case "record":
      return `Record<${shape.key ? describeType(shape.key) : "string"}, ${
        describeType(shape.value)
      }>`;
    case "map":
      return `Map<${describeType(shape.key)}, ${describeType(shape.value)}>`;
    case "set":
      return `Set<${describeType(shape.element)}>`;
    default:
      return NAMES[shape.type] ?? shape.type;
  }
}

function bracketed(shape: TypeShape): string {
  const text = describeType(shape);
  return shape.type === "union" ? `(${text})` : text;
}

function describeElement({ shape, name, isOptional, isRest }: TupleElement): string {
  const type = isRest ? `${bracketed(shape)}[]` : describeType(shape);
  const dots = isRest ? "..." : "";
  if (name !== undefined) return `${dots}${name}${isOptional ? "?" : ""}: ${type}`;
  return isOptional ? `${bracketed(shape)}?` : `${dots}${type}`;
}

/** The members of an object type. */
export function describeMembers(shape: TypeShape & { readonly type: "object" }): string {
  const members = shape.members.map((member) =>
    `${nameText(member.name)}${member.isOptional ? "?" : ""}: ${describeType(member.shape)}`
  );
  if (shape.rest !== undefined) members.push(`[name: string]: ${describeType(shape.rest)}`);
  return members.length === 0 ? "{}" : `{ ${members.join("; ")} }`;
}

function nameText(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name);
}

/** The usage of a job on one line: `sum <x: number> <y: number> [note: string]`. */
export function describeSignature(kind: string, signature: Signature): string {
  const words = argumentsOf(signature).map(describeParameter);
  if (!signature.isTyped && words.length === 0) words.push("[...arguments]");
  return [kind, ...words].join(" ");
}

function describeParameter(parameter: ArgumentParameter): string {
  const type = describeType(parameter.shape);
  if (parameter.isRest) {
    const element = parameter.shape.type === "array" ? describeType(parameter.shape.element) : type;
    return `[...${parameter.name}: ${element}]`;
  }
  const isBare = parameter.isPattern && type.startsWith("{");
  const text = isBare ? type : `${parameter.name}: ${type}`;
  if (parameter.defaultText !== undefined) return `[${text} = ${parameter.defaultText}]`;
  return parameter.isOptional ? `[${text}]` : `<${text}>`;
}

/** A parameter that takes an argument. */
export type ArgumentParameter = ParameterShape & { readonly role: "argument" };

/** The parameters that take an argument, in order. */
export function argumentsOf(signature: Signature): readonly ArgumentParameter[] {
  return signature.parameters.filter((parameter) => parameter.role === "argument");
}

/** The value of a default that is written as a literal; null for any other. */
export function literalOf(source: string): { readonly value: unknown } | null {
  if (source === "undefined") return { value: undefined };
  const quoted = /^'([^'\\]*)'$/.exec(source);
  if (quoted !== null) return { value: quoted[1] };
  try {
    return { value: JSON.parse(source) };
  } catch {
    return null;
  }
}
