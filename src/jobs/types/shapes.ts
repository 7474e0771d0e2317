import type { Node } from "@babel/types";
import type { MemberShape, TypeShape } from "../../core/arguments/signature.ts";

/** The type of any value. */
export const UNKNOWN: TypeShape = { type: "unknown" };

/** The types that are a word of TypeScript. */
export const KEYWORD_SHAPES: Readonly<Record<string, TypeShape>> = {
  TSNumberKeyword: { type: "number" },
  TSStringKeyword: { type: "string" },
  TSBooleanKeyword: { type: "boolean" },
  TSBigIntKeyword: { type: "bigint" },
  TSNullKeyword: { type: "null" },
  TSUndefinedKeyword: { type: "undefined" },
  TSVoidKeyword: { type: "undefined" },
  TSAnyKeyword: UNKNOWN,
  TSUnknownKeyword: UNKNOWN,
  TSObjectKeyword: { type: "record", value: UNKNOWN },
};

/** One shape of several: nested unions are flattened, and unknown absorbs everything else. */
export function unionOf(shapes: readonly TypeShape[]): TypeShape {
  const members = shapes.flatMap((shape) => shape.type === "union" ? shape.members : [shape]);
  if (members.some((member) => member.type === "unknown")) return UNKNOWN;
  const once = new Map(members.map((member) => [JSON.stringify(member), member]));
  const different = [...once.values()];
  return different.length === 1 ? different[0]! : { type: "union", members: different };
}

/** The shape of a literal in a type or a value; null if it is not a known one. */
export function literalOf(node: Node): TypeShape | null {
  switch (node.type) {
    case "StringLiteral":
    case "NumericLiteral":
    case "BooleanLiteral":
      return { type: "literal", value: node.value };
    case "TemplateLiteral": {
      const text = node.quasis[0]?.value.cooked;
      return node.quasis.length === 1 && typeof text === "string"
        ? { type: "literal", value: text }
        : null;
    }
    case "UnaryExpression":
      return node.operator === "-" && node.argument.type === "NumericLiteral"
        ? { type: "literal", value: -node.argument.value }
        : null;
  }
  return null;
}

function isEqual(a: TypeShape, b: TypeShape): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const PRIMITIVES = new Set([
  "number",
  "int",
  "duration",
  "string",
  "boolean",
  "bigint",
  "literal",
  "enum",
]);

/** True if a shape is a primitive, which has no members. */
export function isPrimitive(shape: TypeShape): boolean {
  return PRIMITIVES.has(shape.type);
}

/** True if every value of `a` is one of `b`; false if unknown. */
export function isWithin(a: TypeShape, b: TypeShape): boolean {
  if (a.type === "union") return a.members.every((member) => isWithin(member, b));
  if (b.type === "union") return b.members.some((member) => isWithin(a, member));
  if (isEqual(a, b)) return true;
  if (a.type === "literal") return isEqual(widen(a), b);
  return b.type === "number" && (a.type === "int" || a.type === "duration");
}

/**
 * The values of both types; null if there are none or they are unknown.
 *
 * A primitive and an object type are a branded primitive: `string & { readonly brand: "id" }` is a
 * string.
 */
export function intersect(a: TypeShape, b: TypeShape): TypeShape | null {
  if (a.type === "union" || b.type === "union") return intersectUnions(a, b);
  if (isWithin(a, b)) return a;
  if (isWithin(b, a)) return b;
  if (a.type === "object" && b.type === "object") return mergeObjects(a, b);
  if (a.type === "record" && b.type === "object") return openObject(b, a);
  if (b.type === "record" && a.type === "object") return openObject(a, b);
  if (isPrimitive(a) && b.type === "object") return a;
  if (isPrimitive(b) && a.type === "object") return b;
  return null;
}

function intersectUnions(a: TypeShape, b: TypeShape): TypeShape | null {
  const left = a.type === "union" ? a.members : [a];
  const right = b.type === "union" ? b.members : [b];
  const parts = left.flatMap((one) => right.map((other) => intersect(one, other)))
    .filter((part) => part !== null);
  return parts.length === 0 ? null : unionOf(parts);
}

type ObjectShape = Extract<TypeShape, { readonly type: "object" }>;

function mergeObjects(a: ObjectShape, b: ObjectShape): TypeShape | null {
  const members = new Map(a.members.map((member) => [member.name, member]));
  for (const member of b.members) {
    const earlier = members.get(member.name);
    if (earlier === undefined) members.set(member.name, member);
    else {
      const shape = intersect(earlier.shape, member.shape);
      // Different literals of one member: no object is of both types.
      if (shape === null) return null;
      const isOptional = member.isOptional && earlier.isOptional;
      members.set(member.name, { ...earlier, ...member, shape, isOptional });
    }
  }
  const rest = a.rest ?? b.rest;
  return { type: "object", members: [...members.values()], ...(rest ? { rest } : {}) };
}

function openObject(
  object: ObjectShape,
  record: Extract<TypeShape, { readonly type: "record" }>,
): TypeShape {
  return { type: "object", members: object.members, rest: record.value };
}

/** `Record<K, V>`; null if the keys are unknown. */
export function recordOf(key: TypeShape, value: TypeShape): TypeShape | null {
  if (key.type === "string" || key.type === "unknown") return { type: "record", value };
  if (key.type === "number" || key.type === "int") return { type: "record", key, value };
  const keys = keysOf(key);
  if (keys === null) return null;
  const members = keys.map((name): MemberShape => ({ name, shape: value, isOptional: false }));
  return { type: "object", members };
}

/** The names that a literal, an enum or a union of them lists, null for any other type. */
export function keysOf(shape: TypeShape): readonly string[] | null {
  const members = shape.type === "union" ? shape.members : [shape];
  const keys: string[] = [];
  for (const member of members) {
    if (member.type === "literal") keys.push(String(member.value));
    else if (member.type === "enum") keys.push(...member.members.map(({ value }) => String(value)));
    else return null;
  }
  return keys;
}

/** `keyof T`; null if the keys are unknown. */
export function keyofShape(shape: TypeShape): TypeShape | null {
  if (shape.type === "record") return shape.key ?? { type: "string" };
  if (shape.type === "object") {
    if (shape.rest !== undefined) return { type: "string" };
    return unionOf(shape.members.map(({ name }): TypeShape => ({ type: "literal", value: name })));
  }
  if (shape.type !== "union") return null;
  // A key of a union is a key that all members have.
  const all = shape.members.map((member) => {
    const key = keyofShape(member);
    return key === null ? null : keysOf(key);
  });
  if (!all.every((keys) => keys !== null)) return null;
  const common = all[0]!.filter((name) => all.every((keys) => keys.includes(name)));
  return unionOf(common.map((value): TypeShape => ({ type: "literal", value })));
}

/** `T[K]`; null if it is unknown. */
export function indexedShape(shape: TypeShape, key: TypeShape): TypeShape | null {
  if (shape.type === "union") {
    const parts = shape.members.map((member) => indexedShape(member, key));
    return parts.every((part) => part !== null) ? unionOf(parts) : null;
  }
  if (key.type === "number") {
    if (shape.type === "array") return shape.element;
    if (shape.type === "tuple") return unionOf(shape.elements.map((element) => element.shape));
  }
  if (shape.type === "record") return shape.value;
  const names = keysOf(key);
  if (names === null) return null;
  const parts = names.map((name) => {
    if (shape.type === "tuple") return shape.elements[Number(name)]?.shape ?? null;
    if (shape.type !== "object") return null;
    const member = shape.members.find((each) => each.name === name);
    if (member === undefined) return shape.rest ?? null;
    return member.isOptional ? unionOf([member.shape, { type: "undefined" }]) : member.shape;
  });
  return parts.every((part) => part !== null) ? unionOf(parts) : null;
}

/** A literal's own type, as a variable without `const` has it. */
export function widen(shape: TypeShape): TypeShape {
  if (shape.type !== "literal") return shape;
  return { type: typeof shape.value as "string" | "number" | "boolean" };
}
