import type { ParameterShape, Signature, TypeShape } from "./signature.ts";

/** Longest quoted value in a message, in characters. */
const QUOTED_LENGTH_MAX = 80;

/** A type as a TypeScript programmer would write it; named object types by their name. */
export function describeType(shape: TypeShape): string {
  switch (shape.type) {
    case "date":
      return "Date";
    case "literal":
      return JSON.stringify(shape.value);
    case "array": {
      const element = describeType(shape.element);
      return shape.element.type === "union" ? `(${element})[]` : `${element}[]`;
    }
    case "tuple":
      return `[${shape.elements.map(describeType).join(", ")}]`;
    case "union":
      return shape.members.map(describeType).join(" | ");
    case "object":
      return shape.name ?? describeMembers(shape);
    case "record":
      return `Record<string, ${describeType(shape.value)}>`;
    default:
      return shape.type;
  }
}

function describeMembers(shape: TypeShape & { readonly type: "object" }): string {
  if (shape.members.length === 0) return "{}";
  const members = shape.members.map((member) =>
    `${member.name}${member.isOptional ? "?" : ""}: ${describeType(member.shape)}`
  );
  return `{ ${members.join("; ")} }`;
}

/** How the job is called, in one line: `sum <x: number> <y: number> [note: string]`. */
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
  const text = `${parameter.name}: ${type}`;
  if (parameter.defaultText !== undefined) return `[${text} = ${parameter.defaultText}]`;
  return parameter.isOptional ? `[${text}]` : `<${text}>`;
}

/** A parameter that takes an argument. */
export type ArgumentParameter = ParameterShape & { readonly role: "argument" };

/** The parameters that take an argument, in order. */
export function argumentsOf(signature: Signature): readonly ArgumentParameter[] {
  return signature.parameters.filter((parameter) => parameter.role === "argument");
}

/** A value as a message quotes it: short, on one line, whatever it is. */
export function quoteValue(value: unknown): string {
  if (typeof value === "string") {
    const isLong = value.length > QUOTED_LENGTH_MAX;
    return JSON.stringify(isLong ? `${value.slice(0, QUOTED_LENGTH_MAX)}…` : value);
  }
  if (typeof value === "bigint") {
    return BigInt.asIntN(256, value) === value ? `${value}n` : "a huge integer";
  }
  if (typeof value === "object" && value !== null) return describeObject(value);
  if (typeof value === "function") return "a function";
  return String(value);
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (value instanceof Date) return "a Date";
    return "an object";
  } catch {
    return "an object";
  }
}
