import { quoteValue } from "./quote_value.ts";
import { isJobError, JobError } from "../errors.ts";
import { didYouMean } from "./nearest.ts";

/** True if a key accepts the value; a JobError describes a fault inside it. */
export type Check = (value: unknown) => boolean;

/** The values of a key, in words and as a check. */
export type KeyValue = readonly [wanted: string, check: Check];

/** The keys of an object. */
export type Keys = Readonly<Record<string, KeyValue>>;

/** The keys of objects of one type: the table does not compile when one is missing. */
export type KeysOf<T> = { readonly [Key in keyof T]-?: KeyValue };

/**
 * `Given`, unless it has a member that `Known` does not name. TypeScript itself refuses misspelled
 * members only in literals; with this type also in variables.
 */
export type Exact<Given, Known> =
  & Given
  & { readonly [Key in Exclude<keyof Given, keyof Known>]: never };

/** Wording of the errors of {@link checkKeys}. */
export interface KeyWords {
  /** The failing action, such as `Cannot define job "sum"`. */
  readonly failure: string;
  /** The word for a member: "option" or "condition"; "key" by default. */
  readonly noun?: string;
  /** Path of the object with a final period; empty for the whole. */
  readonly prefix?: string;
}

/** Names that would change an object's prototype when copied as plain keys. */
export const PROTOTYPE_KEYS: ReadonlySet<string> = new Set([
  "__proto__",
  "constructor",
  "prototype",
]);

/** Text. */
export const isText = (value: unknown): value is string => typeof value === "string";
/** Text that is not empty. */
export const isFilled = (value: unknown): value is string => isText(value) && value !== "";
/** True or false. */
export const isFlag: Check = (value) => typeof value === "boolean";
/** A whole number of at least `min`. */
export const isWhole = (min: number): Check => (value) =>
  Number.isSafeInteger(value) && value as number >= min;
/** A whole number from `min` to `max`. */
export const isWithin = (min: number, max: number): Check => (value) =>
  isWhole(min)(value) && (value as number) <= max;
/** Milliseconds, or text that a duration is read from. */
export const isDuration: Check = (value) =>
  typeof value === "string" || (typeof value === "number" && Number.isFinite(value) && value >= 0);
/** One of a few words. */
export const isOneOf = (words: readonly string[]): Check => (value) =>
  words.includes(value as string);
/** An object that is not a list. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
/** A list of items that `isItem` accepts. */
export const isListOf = (isItem: Check): Check => (value) =>
  Array.isArray(value) && value.every(isItem);
/** Check by parsing; the errors of `parse` describe the fault without the key. */
export const isParsed = (parse: (value: unknown) => unknown): Check => (value) => {
  parse(value);
  return true;
};

/** Any text. */
export const TEXT: KeyValue = ["text", isText];
/** Text with visible characters. */
export const WORD: KeyValue = ["text that is not empty", isFilled];
/** True or false. */
export const FLAG: KeyValue = ["true or false", isFlag];
/** A function. */
export const FUNCTION: KeyValue = ["a function", (value) => typeof value === "function"];
/** Any number: the code that uses it checks its limits. */
export const NUMBER: KeyValue = ["a number", (value) => typeof value === "number"];
/** Any number or text: the code that reads the duration checks it. */
export const DURATION: KeyValue = [
  "milliseconds or duration text",
  (value) => typeof value === "number" || isText(value),
];
/** Arguments by position or by name. */
export const ARGUMENTS: KeyValue = [
  "a list of values, or an object by parameter name",
  (value) => Array.isArray(value) || isObject(value),
];

/** A copy without undefined members. */
export function withoutUndefined<T extends object>(given: T): T {
  const defined: Partial<T> = {};
  for (const key of Object.keys(given) as (keyof T)[]) {
    if (given[key] !== undefined) defined[key] = given[key];
  }
  return defined as T;
}

/**
 * Refuse unknown members, which would otherwise be silently ignored, and members of the wrong type.
 * An undefined member counts as absent.
 *
 * @throws JobError `invalid_argument` with the path of the member and the nearest known one
 */
export function checkKeys(given: object, keys: Keys, words: KeyWords): void {
  const { failure, prefix = "" } = words;
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(keys, key)) throw unknownMember(key, Object.keys(keys), words);
    const path = `${prefix}${key}`;
    const [wanted, check] = keys[key]!;
    if (value === undefined || isAccepted(check, value, `${failure}: "${path}"`, path)) continue;
    throw wrongMember(path, { failure, value, wanted });
  }
}

/** The error of an unknown member, with the nearest known one. */
export function unknownMember(
  name: string,
  known: readonly string[],
  { failure, noun = "key", prefix = "" }: KeyWords,
): JobError {
  const path = `${prefix}${name}`;
  return new JobError("invalid_argument", `${failure}: unknown ${noun} "${path}"`, {
    path,
    hint: didYouMean(name, known, prefix) ?? `Known ${noun}s: ${known.join(", ")}`,
  });
}

/** The error of a member with an unwanted value. */
export function wrongMember(
  path: string,
  { failure, value, wanted }: {
    readonly failure: string;
    readonly value: unknown;
    readonly wanted: string;
  },
): JobError {
  const problem = `"${path}" is ${quoteValue(value)}, not ${wanted}`;
  return new JobError("invalid_argument", `${failure}: ${problem}`, { path });
}

function isAccepted(check: Check, value: unknown, failure: string, path: string): boolean {
  try {
    return check(value);
  } catch (error) {
    if (!isJobError(error)) throw error;
    throw new JobError("invalid_argument", `${failure}: ${error.message}`, {
      path,
      hint: error.hint,
    });
  }
}

/**
 * The value if it is an object with known members of the right types; `{}` for undefined.
 *
 * @throws JobError `invalid_argument`
 */
export function checkOptions<T extends object>(
  given: T | undefined,
  keys: Keys,
  words: KeyWords,
): T {
  if (given === undefined) return {} as T;
  if (!mayHold(given, keys)) throw notOptions(given, keys, words);
  checkKeys(given, keys, { noun: "option", ...words });
  return given;
}

/**
 * Like {@link checkOptions}, but returns a copy of the own members, each read once. Refuses known
 * members that are inherited or hidden from enumeration: no check would see them, and a condition
 * that is omitted widens a deletion.
 *
 * @throws JobError `invalid_argument`
 */
export function copyOptions<T extends object>(
  given: T | undefined,
  keys: Keys,
  words: KeyWords,
): T {
  if (!isObject(given)) return checkOptions(given, keys, words);
  const own = { ...given };
  for (const key of Object.keys(keys)) {
    if (!(key in given) || Object.hasOwn(own, key)) continue;
    const { failure, prefix = "" } = words;
    throw new JobError(
      "invalid_argument",
      `${failure}: "${prefix}${key}" is inherited or not enumerable`,
      { path: `${prefix}${key}`, hint: "Write it into a plain object" },
    );
  }
  if (!mayHold(given, keys)) throw notOptions(given, keys, words);
  return checkOptions(own, keys, words);
}

/**
 * True if a value is an object that may have these members, unlike a Map or a promise. An
 * AbortController is allowed as options with a signal.
 */
function mayHold(value: unknown, keys: Keys): boolean {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Object.keys(value).length > 0 || Object.keys(keys).some((key) => key in value);
}

function notOptions(given: unknown, keys: Keys, { failure, noun = "option" }: KeyWords): JobError {
  return new JobError(
    "invalid_argument",
    `${failure}: found ${quoteValue(given)}, wanted an object of ${noun}s`,
    { hint: `Known ${noun}s: ${Object.keys(keys).join(", ")}` },
  );
}
