import {
  dateOfMs,
  isEncodedBigint,
  isEncodedDate,
  isSafe,
  readBigint,
  readDate,
  readNumber,
} from "./convert_text.ts";
import { describeType, quoteValue } from "./describe.ts";
import type { MemberShape, TypeShape } from "./signature.ts";

/** A converted value, or where and why it does not convert. */
export type Conversion =
  | { readonly isOk: true; readonly value: unknown }
  | {
    readonly isOk: false;
    /** From the value to the part at fault: `.lines[2].price`, empty for the value itself. */
    readonly path: string;
    /** The quoted part, then what is wrong: `"12abc" is not a number`. */
    readonly problem: string;
    readonly hint?: string;
  };

/**
 * How far conversion goes. "text" reads numbers, dates and JSON from text. "exact" takes only what has the type already or is
 * what the type becomes in JSON; it decides which member of a union a value is meant for.
 */
type Mode = "exact" | "text";

/**
 * Convert `value` to a type; never throws.
 *
 * In a union the member that the value has exactly wins over one that it could be converted to, then the first does; text
 * stays text where the union has `string`, unless it is the JSON form of a Date or a large bigint of the same union.
 */
export function convertValue(shape: TypeShape, value: unknown): Conversion {
  try {
    return convert(shape, value, "text");
  } catch {
    return fail("an object that throws while it is read is no argument");
  }
}

function ok(value: unknown): Conversion {
  return { isOk: true, value };
}

function fail(problem: string, path = "", hint?: string): Conversion {
  return { isOk: false, path, problem, hint };
}

function mismatch(value: unknown, wanted: string): Conversion {
  return fail(`${quoteValue(value)} is not ${wanted}`);
}

function convert(shape: TypeShape, given: unknown, mode: Mode): Conversion {
  if (shape.type === "unknown") return ok(given);
  const value = plainOf(given);
  switch (shape.type) {
    case "number":
      return toNumber(value, mode);
    case "string":
      return toText(value);
    case "boolean":
      return toBoolean(value, mode);
    case "bigint":
      return toBigint(value, mode);
    case "date":
      return toDate(value, mode);
    case "null":
      if (value === null || (mode === "text" && value === "null")) return ok(null);
      return mismatch(value, "null");
    case "undefined":
      return value === undefined || value === null ? ok(undefined) : mismatch(value, "undefined");
    case "literal":
      return toLiteral(shape.value, value, mode);
    case "array":
      return toArray(shape.element, shape, value, mode);
    case "tuple":
      return toTuple(shape, value, mode);
    case "object":
      return toObject(shape, value, mode);
    case "record":
      return toRecord(shape, value, mode);
    case "union":
      return toUnion(shape, value, mode);
  }
}

/** The value as JSON would show it, one level deep; dates and bigints stay. */
function plainOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const toJson: unknown = Reflect.get(value, "toJSON");
  if (typeof toJson === "function") return toJson.call(value, "");
  if (value instanceof Set) return [...value];
  if (value instanceof Map) {
    const entries = [...value];
    return entries.every(([key]) => typeof key === "string")
      ? Object.fromEntries(entries)
      : entries;
  }
  return value;
}

function toNumber(value: unknown, mode: Mode): Conversion {
  if (typeof value === "number") {
    // JSON has no minus zero; the sum drops it here already.
    return Number.isFinite(value) ? ok(value + 0) : mismatch(value, "a finite number");
  }
  if (typeof value === "bigint" && isSafe(value)) return ok(Number(value));
  if (typeof value !== "string" || mode === "exact") return mismatch(value, "a number");
  const reading = readNumber(value);
  return "value" in reading
    ? ok(reading.value + 0)
    : fail(`${quoteValue(value)} ${reading.problem}`);
}

function toText(value: unknown): Conversion {
  if (typeof value === "string") return ok(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return ok(value.toISOString());
  if (typeof value === "bigint" && !isSafe(value)) return ok(String(value));
  return mismatch(value, "a string");
}

function toBoolean(value: unknown, mode: Mode): Conversion {
  if (typeof value === "boolean") return ok(value);
  if (mode === "text" && (value === "true" || value === "false")) return ok(value === "true");
  return mismatch(value, "true or false");
}

function toBigint(value: unknown, mode: Mode): Conversion {
  if (typeof value === "bigint") return ok(value);
  if (Number.isSafeInteger(value)) return ok(BigInt(value as number));
  if (typeof value !== "string") return mismatch(value, "an integer");
  if (mode === "exact" && !isEncodedBigint(value)) return mismatch(value, "an integer");
  const reading = readBigint(value);
  return "value" in reading ? ok(reading.value) : fail(`${quoteValue(value)} ${reading.problem}`);
}

const DATE_HINT = 'Give ISO 8601 text, such as "2026-01-31" or "2026-01-31T06:00:00Z".';

function toDate(value: unknown, mode: Mode): Conversion {
  if (value instanceof Date) {
    const ms = value.getTime();
    return Number.isNaN(ms) ? fail("an invalid Date is not a date") : ok(new Date(ms));
  }
  if (mode === "exact") {
    const isText = typeof value === "string" && isEncodedDate(value);
    return isText ? ok(new Date(value)) : mismatch(value, "a date");
  }
  if (typeof value !== "number" && typeof value !== "string") return mismatch(value, "a date");
  const reading = typeof value === "number" ? dateOfMs(value) : readDate(value);
  if ("value" in reading) return ok(reading.value);
  return fail(`${quoteValue(value)} ${reading.problem}`, "", DATE_HINT);
}

function toLiteral(wanted: string | number | boolean, value: unknown, mode: Mode): Conversion {
  if (value === wanted) return ok(wanted);
  let found: Conversion = fail("");
  if (typeof wanted === "number") found = toNumber(value, mode);
  if (typeof wanted === "boolean") found = toBoolean(value, mode);
  return found.isOk && found.value === wanted
    ? ok(wanted)
    : mismatch(value, JSON.stringify(wanted));
}

/** What JSON text stands for when `value` is text of the right kind; other values as they are. */
function fromJsonText(value: unknown, bracket: "[" | "{", mode: Mode): unknown {
  if (typeof value !== "string" || mode === "exact" || !value.trimStart().startsWith(bracket)) {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function elementsOf(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  const isNumbers = ArrayBuffer.isView(value) && !(value instanceof Uint8Array) &&
    !(value instanceof DataView);
  return isNumbers ? Array.from(value as unknown as ArrayLike<unknown>) : null;
}

function notJson(value: unknown, what: "an array" | "an object", shape: TypeShape): Conversion {
  const isText = typeof value === "string";
  const hint = `Give JSON text of ${describeType(shape)}.`;
  return fail(`${quoteValue(value)} is not ${what}`, "", isText ? hint : undefined);
}

// Undefined is null after a trip through JSON, so in arrays it is taken as null from the start.
function toElement(shape: TypeShape, value: unknown, index: number, mode: Mode): Conversion {
  const converted = convert(shape, value === undefined ? null : value, mode);
  return converted.isOk ? converted : { ...converted, path: `[${index}]${converted.path}` };
}

function toArray(element: TypeShape, shape: TypeShape, given: unknown, mode: Mode): Conversion {
  const values = elementsOf(fromJsonText(given, "[", mode));
  if (values === null) return notJson(given, "an array", shape);
  const result: unknown[] = [];
  for (let index = 0; index < values.length; index++) {
    const converted = toElement(element, values[index], index, mode);
    if (!converted.isOk) return converted;
    result.push(converted.value);
  }
  return ok(result);
}

function toTuple(
  shape: TypeShape & { readonly type: "tuple" },
  given: unknown,
  mode: Mode,
): Conversion {
  const values = elementsOf(fromJsonText(given, "[", mode));
  if (values === null) return notJson(given, "an array", shape);
  const count = shape.elements.length;
  if (values.length > count) {
    return fail(`${quoteValue(values)} has more elements than ${describeType(shape)}`);
  }
  const result: unknown[] = [];
  for (const [index, element] of shape.elements.entries()) {
    if (index >= values.length) {
      if (!takesUndefined(element)) {
        return fail(`${quoteValue(values)} has fewer elements than ${describeType(shape)}`);
      }
      break;
    }
    const converted = toElement(element, values[index], index, mode);
    if (!converted.isOk) return converted;
    result.push(converted.value);
  }
  return ok(result);
}

function takesUndefined(shape: TypeShape): boolean {
  return shape.type === "undefined" ||
    (shape.type === "union" && shape.members.some(takesUndefined));
}

function isMembers(value: unknown): value is object {
  return typeof value === "object" && value !== null && elementsOf(value) === null &&
    !(value instanceof Date) && !ArrayBuffer.isView(value);
}

function memberPath(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${quoteValue(name)}]`;
}

/** Add a member as data, whatever its name: an assignment to `__proto__` would change the prototype. JSON has no undefined. */
function addMember(target: object, name: string, value: unknown): void {
  if (value === undefined) return;
  Object.defineProperty(target, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function toObject(
  shape: TypeShape & { readonly type: "object" },
  given: unknown,
  mode: Mode,
): Conversion {
  const value = plainOf(fromJsonText(given, "{", mode));
  if (!isMembers(value)) return notJson(given, "an object", shape);
  const result = {};
  const known = new Map(shape.members.map((member) => [member.name, member]));
  for (const name of Object.keys(value)) {
    const part: unknown = Reflect.get(value, name);
    const member = known.get(name);
    if (part === undefined) continue;
    const converted = member === undefined ? ok(part) : convert(member.shape, part, mode);
    if (!converted.isOk) return { ...converted, path: memberPath(name) + converted.path };
    addMember(result, name, converted.value);
  }
  const missing = shape.members.find((member) => isMissing(member, result));
  if (missing === undefined) return ok(result);
  return fail(`member "${missing.name}" is missing`, memberPath(missing.name));
}

function isMissing(member: MemberShape, result: object): boolean {
  return !member.isOptional && !Object.hasOwn(result, member.name) && !takesUndefined(member.shape);
}

function toRecord(
  shape: TypeShape & { readonly type: "record" },
  given: unknown,
  mode: Mode,
): Conversion {
  const value = plainOf(fromJsonText(given, "{", mode));
  if (!isMembers(value)) return notJson(given, "an object", shape);
  const result = {};
  for (const name of Object.keys(value)) {
    const part: unknown = Reflect.get(value, name);
    if (part === undefined) continue;
    const converted = convert(shape.value, part, mode);
    if (!converted.isOk) return { ...converted, path: memberPath(name) + converted.path };
    addMember(result, name, converted.value);
  }
  return ok(result);
}

/**
 * How strongly a member claims a value before the others: JSON forms of richer types come before plain text, and null, which
 * JSON keeps, before undefined.
 */
function claim(shape: TypeShape, value: unknown): number {
  const isText = typeof value === "string" || (typeof value === "bigint" && !isSafe(value));
  if (containsDate(shape) || (isText && shape.type === "bigint")) return 0;
  return shape.type === "undefined" ? 2 : 1;
}

function containsDate(shape: TypeShape): boolean {
  switch (shape.type) {
    case "date":
      return true;
    case "array":
      return containsDate(shape.element);
    case "record":
      return containsDate(shape.value);
    case "tuple":
      return shape.elements.some(containsDate);
    case "union":
      return shape.members.some(containsDate);
    case "object":
      return shape.members.some((member) => containsDate(member.shape));
    default:
      return false;
  }
}

function toUnion(
  shape: TypeShape & { readonly type: "union" },
  value: unknown,
  mode: Mode,
): Conversion {
  const members = shape.members.toSorted((a, b) => claim(a, value) - claim(b, value));
  for (const member of members) {
    const converted = convert(member, value, "exact");
    if (converted.isOk) return converted;
  }
  if (mode === "exact") return mismatch(value, describeType(shape));
  const failures: Conversion[] = [];
  for (const member of shape.members) {
    const converted = convert(member, value, "text");
    if (converted.isOk) return converted;
    if (member.type !== "null" && member.type !== "undefined") failures.push(converted);
  }
  // With several candidates, a failure inside one of them would only mislead.
  return failures.length === 1 ? failures[0]! : mismatch(value, describeType(shape));
}
