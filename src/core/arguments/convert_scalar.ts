import {
  dateOfMs,
  intOf,
  isEncodedBigint,
  isEncodedBytes,
  isEncodedDate,
  isSafe,
  numberOf,
  readBigint,
  readBytes,
  readDate,
  type Reading,
  readInt,
  readNumber,
  readUrl,
} from "./convert_text.ts";
import { quoteValue } from "../text/quote_value.ts";
import { DURATION_MS_MAX, parseDuration } from "../time/duration.ts";
import { BIGINT_BITS_MAX, bytesOf } from "./encode.ts";
import { JobError } from "../errors.ts";
import type { PlainType, TypeShape } from "./signature.ts";

/** A converted value, or the place and reason of a failure. */
export type Conversion =
  | { readonly isOk: true; readonly value: unknown }
  | {
    readonly isOk: false;
    /** From the value to the part at fault: `.lines[2].price`, empty for the value itself. */
    readonly path: string;
    /** The quoted part, then the fault: `"12abc" is not a number`. */
    readonly problem: string;
    readonly hint?: string;
  };

/**
 * Extent of conversion. Each mode accepts everything that the previous one accepts:
 *
 * - "exact": values of the type, and their JSON form.
 * - "text": also numbers, dates and JSON read from text.
 * - "lenient", for arguments: also numbers and booleans as text, and booleans from 0, 1 and Go's
 *   words.
 *
 * Unions try all members in one mode before the next mode.
 */
export type Mode = "exact" | "text" | "lenient";

/** A conversion that succeeded. */
export function ok(value: unknown): Conversion {
  return { isOk: true, value };
}

/** A conversion that failed. */
export function fail(problem: string, path = "", hint?: string): Conversion {
  return { isOk: false, path, problem, hint };
}

/** Bits of the largest number, and its sign. */
const NUMBER_BITS_MAX = 1_025;

// Callers only check whether exact conversions succeed, so their failures need no message.
const NO: Conversion = fail("does not fit");

/** The failure of a value that is not `wanted`. */
export function mismatch(value: unknown, wanted: string, mode: Mode, hint?: string): Conversion {
  return mode === "exact" ? NO : fail(`${quoteValue(value)} is not ${wanted}`, "", hint);
}

/** The failure of a value that has a problem. */
export function refusal(value: unknown, problem: string, mode: Mode): Conversion {
  return mode === "exact" ? NO : fail(`${quoteValue(value)} ${problem}`);
}

function read(value: unknown, reading: Reading<unknown>, hint?: string): Conversion {
  if ("value" in reading) return ok(reading.value);
  return fail(`${quoteValue(value)} ${reading.problem}`, "", hint);
}

type Scalar = (value: unknown, mode: Mode) => Conversion;

/** Conversions to types without parts, from JSON values, dates and bigints. */
export const SCALARS: Readonly<Record<PlainType, Scalar>> = {
  number: toNumber,
  int: toInt,
  duration: toDuration,
  string: toText,
  boolean: toBoolean,
  bigint: toBigint,
  date: toDate,
  url: toUrl,
  bytes: toBytes,
  null: (value, mode) =>
    value === null || (mode !== "exact" && value === "null")
      ? ok(null)
      : mismatch(value, "null", mode),
  undefined: (value, mode) =>
    value === undefined || value === null ? ok(undefined) : mismatch(value, "undefined", mode),
  unknown: (value) => ok(withNumbers(value)),
};

function toNumber(value: unknown, mode: Mode): Conversion {
  if (typeof value === "number") {
    // The sum turns -0 into 0, like JSON does.
    return Number.isFinite(value) ? ok(value + 0) : mismatch(value, "a finite number", mode);
  }
  const exact = typeof value === "bigint" ? numberOf(value) : null;
  if (exact !== null) return ok(exact);
  const text = mode === "exact" ? null : digitsOf(value);
  if (text === null) return mismatch(value, "a number", mode);
  const reading = readNumber(text);
  return "value" in reading ? ok(reading.value + 0) : read(value, reading);
}

/** Text, or a bigint as text, so that one rule reads both; null for anything else. */
function digitsOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  const isBounded = typeof value === "bigint" && BigInt.asIntN(NUMBER_BITS_MAX, value) === value;
  return isBounded ? String(value) : null;
}

function toInt(value: unknown, mode: Mode): Conversion {
  if (typeof value === "number") return read(value, intOf(value));
  if (typeof value === "bigint" && isSafe(value)) return ok(Number(value));
  if (typeof value !== "string" || mode === "exact") return mismatch(value, "a whole number", mode);
  return read(value, readInt(value));
}

function toDuration(given: unknown, mode: Mode): Conversion {
  const value = typeof given === "bigint" ? withNumbers(given) : given;
  if (typeof value === "number") {
    const isInRange = Number.isInteger(value) && value >= 0 && value <= DURATION_MS_MAX;
    return isInRange ? ok(value + 0) : mismatch(value, "a whole number of milliseconds", mode);
  }
  if (typeof value !== "string" || mode === "exact") return mismatch(value, "a duration", mode);
  try {
    return ok(parseDuration(value));
  } catch (error) {
    const hint = error instanceof JobError ? `${error.hint}.` : undefined;
    return mismatch(value, "a duration", mode, hint);
  }
}

function toText(value: unknown, mode: Mode): Conversion {
  if (typeof value === "string") return ok(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return ok(value.toISOString());
  if (typeof value === "bigint" && (mode === "lenient" || !isSafe(value))) return bigintText(value);
  const isWritten = mode === "lenient" && (Number.isFinite(value) || typeof value === "boolean");
  return isWritten ? ok(String(value)) : mismatch(value, "a string", mode);
}

function bigintText(value: bigint): Conversion {
  const isBounded = BigInt.asIntN(BIGINT_BITS_MAX, value) === value;
  return isBounded ? ok(String(value)) : fail(`${quoteValue(value)} has too many digits`);
}

/** The texts of Go's strconv.ParseBool, and 0 and 1. */
const BOOLEANS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
  [1, true],
  [0, false],
  [1n, true],
  [0n, false],
]);

const BOOLEAN_HINT = "Give true or false; 1 and 0, t and f are accepted too.";

function toBoolean(value: unknown, mode: Mode): Conversion {
  if (typeof value === "boolean") return ok(value);
  if (mode !== "exact" && (value === "true" || value === "false")) return ok(value === "true");
  const found = mode === "lenient" ? BOOLEANS.get(value) : undefined;
  return found === undefined ? mismatch(value, "true or false", mode, BOOLEAN_HINT) : ok(found);
}

function toBigint(value: unknown, mode: Mode): Conversion {
  if (typeof value === "bigint") return ok(value);
  if (Number.isSafeInteger(value)) return ok(BigInt(value as number));
  if (typeof value !== "string") return mismatch(value, "an integer", mode);
  if (mode === "exact" && !isEncodedBigint(value)) return mismatch(value, "an integer", mode);
  return read(value, readBigint(value));
}

const DATE_HINT = 'Give ISO 8601 text, such as "2026-01-31" or "2026-01-31T06:00:00Z".';

function toDate(value: unknown, mode: Mode): Conversion {
  if (value instanceof Date) {
    const ms = value.getTime();
    return Number.isNaN(ms) ? fail("an invalid Date is not a date") : ok(new Date(ms));
  }
  if (mode === "exact") {
    const isText = typeof value === "string" && isEncodedDate(value);
    return isText ? ok(new Date(value)) : NO;
  }
  const plain = typeof value === "bigint" ? withNumbers(value) : value;
  if (typeof plain === "number") return read(value, dateOfMs(plain), DATE_HINT);
  return typeof value === "string"
    ? read(value, readDate(value), DATE_HINT)
    : mismatch(value, "a date", mode);
}

const URL_HINT = 'Give an absolute URL, such as "https://example.com/".';

function toUrl(value: unknown, mode: Mode): Conversion {
  if (value instanceof URL) return ok(new URL(value.href));
  if (typeof value !== "string") return mismatch(value, "a URL", mode);
  const reading = readUrl(value);
  if (mode !== "exact") return read(value, reading, URL_HINT);
  return "value" in reading && reading.value.href === value ? ok(reading.value) : NO;
}

const BYTES_HINT = "Give base64 text, or an array of whole numbers from 0 to 255.";

function toBytes(value: unknown, mode: Mode): Conversion {
  const bytes = typeof value === "object" && value !== null ? bytesOf(value) : null;
  if (bytes !== null) return ok(new Uint8Array(bytes));
  if (typeof value === "string") {
    if (mode === "exact" && !isEncodedBytes(value)) return NO;
    return read(value, readBytes(value), BYTES_HINT);
  }
  const isBytes = mode !== "exact" && Array.isArray(value) &&
    value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  return isBytes ? ok(Uint8Array.from(value)) : mismatch(value, "bytes", mode, BYTES_HINT);
}

/** Convert to a literal type. */
export function toLiteral(
  wanted: string | number | boolean,
  value: unknown,
  mode: Mode,
): Conversion {
  if (value === wanted) return ok(wanted);
  let found: Conversion = NO;
  if (typeof wanted === "number") found = toNumber(value, mode);
  if (typeof wanted === "boolean") found = toBoolean(value, mode);
  if (typeof wanted === "string") found = toText(value, mode);
  return found.isOk && found.value === wanted
    ? ok(wanted)
    : mismatch(value, JSON.stringify(wanted), mode);
}

/** Convert to an enum, from its values or the names of its members. */
export function toEnum(
  shape: TypeShape & { readonly type: "enum" },
  value: unknown,
  mode: Mode,
): Conversion {
  for (const how of mode === "exact" ? [mode] : ["exact", mode] as const) {
    for (const member of shape.members) {
      const found = toLiteral(member.value, value, how);
      if (found.isOk) return found;
    }
  }
  const named = mode !== "exact" ? shape.members.find(({ name }) => name === value) : undefined;
  if (named !== undefined) return ok(named.value);
  const known = shape.members.map(({ name }) => name).join(", ");
  return mismatch(value, `a member of ${shape.name}`, mode, `Members: ${known}.`);
}

/** Bigints in parsed JSON as equal numbers where possible; the same value if nothing changes. */
export function withNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return numberOf(value) ?? value;
  if (!hasBigints(value, new Set())) return value;
  if (Array.isArray(value)) return value.map(withNumbers);
  const entries = Object.entries(value as object).map(([name, part]) => [name, withNumbers(part)]);
  return Object.fromEntries(entries);
}

/** True if plain data contains bigints. Parsed JSON has no cycles and no other objects. */
function hasBigints(value: unknown, seen: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return typeof value === "bigint";
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain || seen.has(value)) return false;
  seen.add(value);
  const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return parts.some((part) => hasBigints(part, seen));
}
