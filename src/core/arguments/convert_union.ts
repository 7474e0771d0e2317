import type { Definitions, TypeShape } from "./signature.ts";

/** Order and method of trying a union's members. */
export interface UnionPlan {
  /** Order for exact conversion: JSON forms of richer types before text, null before undefined. */
  readonly exact: readonly TypeShape[];
  /** Order for text: as declared, but types with a plainer type's JSON form come after that. */
  readonly text: readonly TypeShape[];
  /** Member whose literal types distinguish the object types; null without one. */
  readonly discriminant: string | null;
}

const plans = new WeakMap<object, UnionPlan>();

/** The plan for trying a union's members; computed once for each. */
export function unionPlan(
  shape: TypeShape & { readonly type: "union" },
  definitions: Definitions,
): UnionPlan {
  const known = plans.get(shape);
  if (known !== undefined) return known;
  const members = flatten(shape, definitions, new Set());
  const ranks = new Map(members.map((member) => [member, rankOf(member, definitions)]));
  const plan: UnionPlan = {
    exact: members.toSorted((a, b) => ranks.get(a)! - ranks.get(b)!),
    text: members.toSorted((a, b) => Number(isRich(ranks.get(a)!)) - Number(isRich(ranks.get(b)!))),
    discriminant: discriminantOf(members, definitions),
  };
  plans.set(shape, plan);
  return plan;
}

/** The shape behind a reference; unknown if missing. */
export function resolveShape(shape: TypeShape, definitions: Definitions): TypeShape {
  let found = shape;
  for (let step = 0; found.type === "ref" && step < 10; step++) {
    found = Object.hasOwn(definitions, found.name) ? definitions[found.name]! : { type: "unknown" };
  }
  return found.type === "ref" ? { type: "unknown" } : found;
}

function flatten(shape: TypeShape, definitions: Definitions, seen: Set<TypeShape>): TypeShape[] {
  const found = resolveShape(shape, definitions);
  if (found.type !== "union") return [found];
  if (seen.has(found)) return [];
  seen.add(found);
  return found.members.flatMap((member) => flatten(member, definitions, seen));
}

const DATED = 0;
const DATED_RICH = 1;
const PLAIN = 2;
const RICH = 3;
const NOTHING = 4;

function isRich(rank: number): boolean {
  return rank === RICH || rank === DATED_RICH;
}

function rankOf(shape: TypeShape, definitions: Definitions): number {
  if (shape.type === "undefined") return NOTHING;
  const hasDate = contains(shape, (each) => each.type === "date", definitions);
  const hasRich = contains(shape, ({ type }) => RICH_TYPES.has(type), definitions);
  // An array of dates before a set of them: text means the plainer one.
  if (hasDate) return hasRich ? DATED_RICH : DATED;
  return hasRich ? RICH : PLAIN;
}

/** Types whose JSON form is also a plainer type's. */
const RICH_TYPES: ReadonlySet<string> = new Set(["url", "bytes", "set", "map"]);

/** True if a shape or a part of it passes `test`. */
function contains(
  shape: TypeShape,
  test: (shape: TypeShape) => boolean,
  definitions: Definitions,
  seen: Set<string> = new Set(),
): boolean {
  if (test(shape)) return true;
  if (shape.type === "ref") {
    if (seen.has(shape.name)) return false;
    seen.add(shape.name);
    return contains(resolveShape(shape, definitions), test, definitions, seen);
  }
  return partsOf(shape).some((part) => contains(part, test, definitions, seen));
}

/** The shapes that a shape is made of. */
export function partsOf(shape: TypeShape): readonly TypeShape[] {
  switch (shape.type) {
    case "array":
    case "set":
      return [shape.element];
    case "tuple":
      return shape.elements.map((element) => element.shape);
    case "union":
      return shape.members;
    case "object": {
      const members = shape.members.map((member) => member.shape);
      return shape.rest === undefined ? members : [...members, shape.rest];
    }
    case "record":
      return shape.key === undefined ? [shape.value] : [shape.key, shape.value];
    case "map":
      return [shape.key, shape.value];
    default:
      return [];
  }
}

function discriminantOf(members: readonly TypeShape[], definitions: Definitions): string | null {
  const objects = members.filter((member) => member.type === "object");
  const [first, ...others] = objects;
  if (first === undefined || others.length === 0) return null;
  // A record or a map accepts any object, so no member distinguishes it.
  if (members.some(({ type }) => type === "record" || type === "map")) return null;
  const found = first.members.find(({ name }) => {
    const keys = objects.map((object) => literalKeys(object, name, definitions));
    return keys.every((key) => key !== null) && new Set(keys).size > 1;
  });
  return found?.name ?? null;
}

/** The literals of a member as text; null if it has other types or may be missing. */
function literalKeys(
  object: TypeShape & { readonly type: "object" },
  name: string,
  definitions: Definitions,
): string | null {
  const member = object.members.find((each) => each.name === name);
  if (member === undefined || member.isOptional) return null;
  const shapes = flatten(member.shape, definitions, new Set());
  const isLiteral = shapes.every(({ type }) => type === "literal" || type === "enum");
  return isLiteral ? JSON.stringify(shapes) : null;
}
