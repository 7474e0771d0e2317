import {
  type Conversion,
  fail,
  mismatch,
  type Mode,
  ok,
  refusal,
  SCALARS,
  toEnum,
  toLiteral,
  withNumbers,
} from "./convert_scalar.ts";
import { isSafe } from "./convert_text.ts";
import { resolveShape, unionPlan } from "./convert_union.ts";
import { describeType } from "./describe.ts";
import { quoteValue } from "../text/quote_value.ts";
import { bytesOf, ENCODE_DEPTH_MAX, hasMemberKeys } from "./encode.ts";
import { parseJson } from "./json_text.ts";
import type { Definitions, MemberShape, TupleElement, TypeShape } from "./signature.ts";
import { base64 } from "../text/text_bytes.ts";

/** Most parts tried before a value is refused: nested unions could be tried endlessly. */
const STEPS_MAX = 5_000_000;

type Shape<Type extends TypeShape["type"]> = Extract<TypeShape, { readonly type: Type }>;

/**
 * Convert `value` to a type; never throws.
 *
 * In a union, a member that matches exactly wins over a conversion; then the first one wins. Text
 * stays text if the union has `string`, unless it is the JSON form of a Date or a large bigint of
 * the union. Among object types, a common member with literal types decides.
 */
export function convertValue(
  shape: TypeShape,
  value: unknown,
  definitions: Definitions = {},
  mode: Mode = "lenient",
): Conversion {
  try {
    return new Converter(definitions).convert(shape, value, mode, 0);
  } catch (error) {
    if (error === TOO_MANY) return fail(`${quoteValue(value)} has more parts than are checked`);
    return fail("an object that throws while it is read cannot be an argument");
  }
}

const TOO_MANY = new RangeError("too many steps");

/** The value as JSON would show it, one level deep; dates and bigints stay. */
function plainOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const bytes = bytesOf(value);
  if (bytes !== null) return base64(bytes);
  const toJson: unknown = Reflect.get(value, "toJSON");
  if (typeof toJson === "function") return toJson.call(value, "");
  if (value instanceof Set) return [...value];
  if (value instanceof Map) return hasMemberKeys(value) ? Object.fromEntries(value) : [...value];
  return value;
}

/** The parsed JSON if `value` is JSON text in these brackets; otherwise `value`. */
function fromJsonText(value: unknown, brackets: string, mode: Mode): unknown {
  if (typeof value !== "string" || mode === "exact") return value;
  const first = value.trimStart().charAt(0);
  if (first === "" || !brackets.includes(first)) return value;
  try {
    return parseJson(value);
  } catch {
    return value;
  }
}

function elementsOf(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  const isNumbers = ArrayBuffer.isView(value) && bytesOf(value) === null;
  return isNumbers ? Array.from(value as unknown as ArrayLike<unknown>) : null;
}

function isMembers(value: unknown): value is object {
  return typeof value === "object" && value !== null && elementsOf(value) === null &&
    !(value instanceof Date) && !ArrayBuffer.isView(value);
}

function memberPath(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${quoteValue(name)}]`;
}

/** Add a member of any name: assigning `__proto__` would change the prototype. Skips undefined. */
function addMember(target: object, name: string, value: unknown): void {
  if (value === undefined) return;
  Object.defineProperty(target, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function within(step: string, converted: Conversion): Conversion {
  return converted.isOk ? converted : { ...converted, path: step + converted.path };
}

interface Given {
  readonly value: unknown;
  readonly mode: Mode;
  readonly depth: number;
}

// In JSON, names of members are always text.
function modeOfNames(mode: Mode): Mode {
  return mode === "exact" ? "text" : mode;
}

/** One conversion of a value with all its parts. */
class Converter {
  readonly #definitions: Definitions;
  #steps = 0;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  convert(given: TypeShape, value: unknown, mode: Mode, depth: number): Conversion {
    if (++this.#steps > STEPS_MAX) throw TOO_MANY;
    if (depth > ENCODE_DEPTH_MAX) return fail(`it is nested more than ${ENCODE_DEPTH_MAX} levels`);
    const shape = given.type === "ref" ? resolveShape(given, this.#definitions) : given;
    switch (shape.type) {
      case "literal":
        return toLiteral(shape.value, value, mode);
      case "enum":
        return toEnum(shape, value, mode);
      case "array":
        return this.#array(shape, value, mode, depth);
      case "set":
        return this.#set(shape, value, mode, depth);
      case "tuple":
        return this.#tuple(shape, value, mode, depth);
      case "object":
        return this.#object(shape, value, mode, depth);
      case "record":
        return this.#record(shape, value, mode, depth);
      case "map":
        return this.#map(shape, value, mode, depth);
      case "union":
        return this.#union(shape, plainOf(value), mode, depth);
      case "ref":
        return ok(value);
    }
    const isSpecial = typeof value === "object" && value !== null && shape.type !== "unknown" &&
      bytesOf(value) === null;
    return SCALARS[shape.type](isSpecial ? plainOf(value) : value, mode);
  }

  #notJson(value: unknown, wanted: string, shape: TypeShape, mode: Mode): Conversion {
    if (mode === "exact") return mismatch(value, wanted, mode);
    const hint = `Give JSON text of ${describeType(shape)}.`;
    return mismatch(value, wanted, mode, typeof value === "string" ? hint : undefined);
  }

  // JSON turns undefined in arrays into null, so it counts as null from the start.
  #element(shape: TypeShape, value: unknown, index: number, mode: Mode, depth: number): Conversion {
    const converted = this.convert(shape, value === undefined ? null : value, mode, depth + 1);
    return converted.isOk ? converted : within(`[${index}]`, converted);
  }

  #array(shape: Shape<"array"> | Shape<"set">, given: unknown, mode: Mode, depth: number) {
    const values = elementsOf(fromJsonText(plainOf(given), "[", mode));
    if (values === null) return this.#notJson(given, "an array", shape, mode);
    const result: unknown[] = [];
    for (let index = 0; index < values.length; index++) {
      const converted = this.#element(shape.element, values[index], index, mode, depth);
      if (!converted.isOk) return converted;
      result.push(converted.value);
    }
    return ok(result);
  }

  #set(shape: Shape<"set">, given: unknown, mode: Mode, depth: number): Conversion {
    const converted = this.#array(shape, given, mode, depth);
    return converted.isOk ? ok(new Set(converted.value as unknown[])) : converted;
  }

  #tuple(shape: Shape<"tuple">, given: unknown, mode: Mode, depth: number): Conversion {
    const values = elementsOf(fromJsonText(plainOf(given), "[", mode));
    if (values === null) return this.#notJson(given, "an array", shape, mode);
    const elements = spread(shape.elements, values.length);
    if (elements.length < values.length) {
      return refusal(values, `has more elements than ${describeType(shape)}`, mode);
    }
    const result: unknown[] = [];
    for (const [index, element] of elements.entries()) {
      if (index >= values.length) {
        if (element.isOptional || this.#takesUndefined(element.shape)) break;
        return refusal(values, `has fewer elements than ${describeType(shape)}`, mode);
      }
      const isLeftOut = element.isOptional === true && isNothing(values[index]);
      let converted = this.#element(element.shape, values[index], index, mode, depth);
      // JSON turns an omitted element before a given one into null.
      if (!converted.isOk && isLeftOut) converted = ok(undefined);
      if (!converted.isOk) return converted;
      result.push(converted.value);
    }
    return ok(result);
  }

  #takesUndefined(given: TypeShape): boolean {
    const shape = resolveShape(given, this.#definitions);
    return shape.type === "undefined" ||
      (shape.type === "union" && shape.members.some((each) => this.#takesUndefined(each)));
  }

  #object(shape: Shape<"object">, given: unknown, mode: Mode, depth: number): Conversion {
    const value = membersOf(given, mode);
    if (value === null) return this.#notJson(given, "an object", shape, mode);
    const result = {};
    const known = membersByName(shape);
    for (const name of Object.keys(value)) {
      const part: unknown = Reflect.get(value, name);
      const member = known.get(name);
      if (part === undefined) continue;
      const wanted = member?.shape ?? shape.rest;
      const converted = wanted === undefined
        ? ok(withNumbers(part))
        : this.convert(wanted, part, mode, depth + 1);
      if (!converted.isOk) return within(memberPath(name), converted);
      addMember(result, name, converted.value);
    }
    for (const member of shape.members) {
      if (member.isOptional || Object.hasOwn(result, member.name)) continue;
      if (this.#takesUndefined(member.shape)) continue;
      return fail(`member "${member.name}" is missing`, memberPath(member.name));
    }
    return ok(result);
  }

  #record(shape: Shape<"record">, given: unknown, mode: Mode, depth: number): Conversion {
    const value = membersOf(given, mode);
    if (value === null) return this.#notJson(given, "an object", shape, mode);
    const result = {};
    for (const name of Object.keys(value)) {
      const part: unknown = Reflect.get(value, name);
      if (part === undefined) continue;
      const key = shape.key === undefined
        ? ok(name)
        : this.convert(shape.key, name, modeOfNames(mode), depth + 1);
      if (!key.isOk) return { ...key, path: memberPath(name), problem: `name ${key.problem}` };
      const converted = this.convert(shape.value, part, mode, depth + 1);
      if (!converted.isOk) return within(memberPath(name), converted);
      addMember(result, name, converted.value);
    }
    return ok(result);
  }

  #map(shape: Shape<"map">, given: unknown, mode: Mode, depth: number): Conversion {
    const entries = entriesOf(given, mode);
    if (entries === null) return this.#notJson(given, "an object or pairs", shape, mode);
    const result = new Map<unknown, unknown>();
    for (const [index, entry] of entries.entries()) {
      if (entry === null) {
        return within(`[${index}]`, fail("it is not a pair of a key and a value"));
      }
      const { key: name, value, isName } = entry;
      const step = isName ? memberPath(name as string) : `[${index}][1]`;
      const key = this.convert(
        shape.key,
        name === undefined ? null : name,
        isName ? modeOfNames(mode) : mode,
        depth + 1,
      );
      if (!key.isOk) {
        if (!isName) return within(`[${index}][0]`, key);
        return { ...key, path: memberPath(name as string), problem: `key ${key.problem}` };
      }
      if (result.has(key.value)) return within(step, fail(`key ${quoteValue(name)} occurs twice`));
      const part = this.convert(shape.value, value === undefined ? null : value, mode, depth + 1);
      if (!part.isOk) return within(step, part);
      result.set(key.value, part.value);
    }
    return ok(result);
  }

  #union(shape: Shape<"union">, value: unknown, mode: Mode, depth: number): Conversion {
    const plan = unionPlan(shape, this.#definitions);
    const { discriminant } = plan;
    let members = plan.exact;
    if (discriminant !== null && isMembers(value)) {
      const objects = members.filter((member) => member.type === "object");
      const chosen = this.#choose(objects, discriminant, { value, mode, depth });
      if (!Array.isArray(chosen)) return chosen as Conversion;
      if (chosen.length === 1) return this.convert(chosen[0]!, value, mode, depth);
      members = chosen;
    }
    for (const member of members) {
      if (isBigText(member, value)) {
        const converted = this.convert(member, value, "exact", depth);
        if (converted.isOk) return converted;
      }
    }
    for (const member of members) {
      const converted = this.convert(member, value, "exact", depth);
      if (converted.isOk) return converted;
    }
    if (mode === "exact") return mismatch(value, "", mode);
    const parsed = fromJsonText(value, "[{", mode);
    if (parsed !== value) return this.#union(shape, parsed, mode, depth);
    const others = plan.text.filter((each) => members.includes(each));
    const converted = this.#unionText(shape, others, { value, mode: "text", depth });
    if (converted.isOk || mode === "text") return converted;
    return this.#unionText(shape, others, { value, mode, depth });
  }

  #unionText(shape: TypeShape, members: readonly TypeShape[], given: Given): Conversion {
    const { value, mode, depth } = given;
    const failures: (Conversion & { readonly isOk: false })[] = [];
    for (const member of members) {
      const converted = this.convert(member, value, mode, depth);
      if (converted.isOk) return converted;
      if (member.type !== "null" && member.type !== "undefined") failures.push(converted);
    }
    // With several candidates, a failure inside one of them would only mislead.
    if (failures.length === 1) return failures[0]!;
    const inside = failures.filter(({ path }) => path !== "");
    return inside.length === 1 ? inside[0]! : mismatch(value, describeType(shape), mode);
  }

  /** The object types whose discriminant accepts the value's; a failure if none does. */
  #choose(
    objects: readonly Shape<"object">[],
    name: string,
    given: Given & { readonly value: object },
  ): readonly TypeShape[] | Conversion {
    const { value, mode, depth } = given;
    const found: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
    const shapeOf = (object: Shape<"object">) =>
      object.members.find((member) => member.name === name)!.shape;
    if (found === undefined) return fail(`member "${name}" is missing`, memberPath(name));
    const chosen = objects.filter((object) =>
      this.convert(shapeOf(object), found, mode, depth + 1).isOk
    );
    if (chosen.length > 0) return chosen;
    const wanted = objects.map((object) => describeType(shapeOf(object)));
    return within(memberPath(name), mismatch(found, [...new Set(wanted)].join(" | "), mode));
  }
}

// In JSON, a bigint beyond the safe integers is text.
function isBigText(shape: TypeShape, value: unknown): boolean {
  return shape.type === "bigint" &&
    (typeof value === "string" || (typeof value === "bigint" && !isSafe(value)));
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

/** The object whose members are read; null for other values. */
function membersOf(given: unknown, mode: Mode): object | null {
  if (given instanceof Map) {
    const isNamed = [...given.keys()].every((key) => typeof key === "string");
    return isNamed ? Object.fromEntries(given) : null;
  }
  const value = plainOf(fromJsonText(given, "{", mode));
  return isMembers(value) ? value : null;
}

const namedMembers = new WeakMap<object, ReadonlyMap<string, MemberShape>>();

function membersByName(shape: Shape<"object">): ReadonlyMap<string, MemberShape> {
  let known = namedMembers.get(shape);
  if (known === undefined) {
    known = new Map(shape.members.map((member) => [member.name, member]));
    namedMembers.set(shape, known);
  }
  return known;
}

interface Entry {
  readonly key: unknown;
  readonly value: unknown;
  /** True if the key is a member's name, and so always text. */
  readonly isName: boolean;
}

/** Entries of a map, an object or an array of pairs; null for anything else, and for non-pairs. */
function entriesOf(given: unknown, mode: Mode): readonly (Entry | null)[] | null {
  const isMap = given instanceof Map;
  const value = isMap ? [...given] : plainOf(fromJsonText(given, "[{", mode));
  if (Array.isArray(value)) {
    return value.map((pair: unknown) =>
      Array.isArray(pair) && pair.length === 2
        ? { key: pair[0], value: pair[1], isName: false }
        : null
    );
  }
  if (!isMembers(value)) return null;
  return Object.keys(value)
    .map((key) => ({ key, value: Reflect.get(value, key) as unknown, isName: true }));
}

/** The tuple's elements for `count` values: a rest element is repeated. */
function spread(elements: readonly TupleElement[], count: number): readonly TupleElement[] {
  const at = elements.findIndex((element) => element.isRest);
  if (at < 0) return elements;
  const times = Math.max(0, count - (elements.length - 1));
  const rest = Array.from({ length: times }, () => elements[at]!);
  return [...elements.slice(0, at), ...rest, ...elements.slice(at + 1)];
}
