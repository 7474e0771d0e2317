import type { MemberShape, TypeShape } from "../../core/arguments/signature.ts";
import { isWithin, keysOf, recordOf, unionOf } from "./shapes.ts";

/** Types of JavaScript itself; null if no argument can have the type `name`. */
export function builtInType(
  name: string,
  argument: (index: number) => TypeShape,
): TypeShape | null {
  switch (name) {
    case "Date":
      return { type: "date" };
    case "URL":
      return { type: "url" };
    case "Uint8Array":
      return { type: "bytes" };
    case "Array":
    case "ReadonlyArray":
      return { type: "array", element: argument(0) };
    case "Set":
    case "ReadonlySet":
      return { type: "set", element: argument(0) };
    case "Map":
    case "ReadonlyMap":
      return { type: "map", key: argument(0), value: argument(1) };
  }
  return null;
}

/** Null where it does not apply. It has one parameter per type argument. */
type Utility = (first: TypeShape, second: TypeShape) => TypeShape | null;

/** TypeScript's own helpers on types, by name. */
const UTILITIES: ReadonlyMap<string, Utility> = new Map<string, Utility>([
  ["Readonly", (shape) => shape],
  [
    "NonNullable",
    (shape) => without(shape, ({ type }) => type === "null" || type === "undefined"),
  ],
  ["Partial", (shape) => distribute(shape, (one) => withMembers(one, optional))],
  ["Required", (shape) => distribute(shape, (one) => withMembers(one, required))],
  ["Record", recordOf],
  ["Exclude", (shape, excluded) => without(shape, (one) => isWithin(one, excluded))],
  ["Extract", (shape, kept) => without(shape, (one) => !isWithin(one, kept))],
  ["Pick", (shape, key) => chosen(shape, key, true)],
  ["Omit", (shape, key) => chosen(shape, key, false)],
]);

/** True if {@link utilityType} reads a type of this name. */
export function isUtility(name: string): boolean {
  return UTILITIES.has(name);
}

/** TypeScript's own helpers on types; null if one has too few arguments or does not apply. */
export function utilityType(name: string, params: readonly TypeShape[]): TypeShape | null {
  const utility = UTILITIES.get(name)!;
  return params.length < utility.length ? null : utility(...params as [TypeShape, TypeShape]);
}

type ObjectShape = Extract<TypeShape, { readonly type: "object" }>;

function distribute(
  shape: TypeShape,
  change: (shape: TypeShape) => TypeShape | null,
): TypeShape | null {
  if (shape.type !== "union") return change(shape);
  const parts = shape.members.map(change);
  return parts.every((part) => part !== null) ? unionOf(parts) : null;
}

function withMembers(
  shape: TypeShape,
  change: (member: MemberShape) => MemberShape,
): TypeShape | null {
  if (shape.type === "record" || shape.type === "array") return shape;
  if (shape.type !== "object") return null;
  return unnamed({ ...shape, members: shape.members.map(change) });
}

function optional(member: MemberShape): MemberShape {
  return { ...member, isOptional: true };
}

function required(member: MemberShape): MemberShape {
  const shape = without(member.shape, ({ type }) => type === "undefined");
  return { ...member, shape, isOptional: false };
}

function without(shape: TypeShape, isLeftOut: (shape: TypeShape) => boolean): TypeShape {
  if (shape.type === "boolean" && isLeftOut({ type: "literal", value: true })) {
    return without({ type: "literal", value: false }, isLeftOut);
  }
  const members = shape.type === "union" ? shape.members : [shape];
  return unionOf(members.filter((member) => !isLeftOut(member)));
}

function chosen(shape: TypeShape, key: TypeShape, isPick: boolean): TypeShape | null {
  const keys = keysOf(key);
  if (keys === null) return null;
  if (shape.type === "record") return isPick ? recordOf(key, shape.value) : shape;
  if (shape.type !== "object") return null;
  const members = shape.members.filter((member) => keys.includes(member.name) === isPick);
  return unnamed({ ...shape, members });
}

// It no longer has that name.
function unnamed({ name: _name, ...shape }: ObjectShape): TypeShape {
  return shape;
}
