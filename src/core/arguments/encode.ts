import { JobError } from "../errors.ts";
import type { ErrorInfo } from "../instance.ts";
import { PAYLOAD_BYTES_MAX } from "../payload_chars.ts";
import type { SecretMask } from "../text/secret_mask.ts";
import { base64, cutText, utf8Bytes } from "../text/text_bytes.ts";

/** Deepest nesting that is written; deeper values become `"[Too deep]"`. */
export const ENCODE_DEPTH_MAX = 200;
/** Longest error message kept, in bytes of UTF-8. */
export const ERROR_MESSAGE_BYTES_MAX = 8_192;
/** Longest stack kept, causes included, in bytes of UTF-8. */
export const ERROR_STACK_BYTES_MAX = 16_384;
/** Longest error name kept, in bytes of UTF-8. */
const ERROR_NAME_BYTES_MAX = 200;
/** Most errors whose stacks are kept: the thrown one, its combined errors, and causes. */
const RELATED_MAX = 10;
// Dropped members (undefined, functions) write nothing, so their number has a separate limit.
const DROPPED_MAX = 100_000;
/** Most bits of a bigint: writing it in decimal takes quadratic time. */
export const BIGINT_BITS_MAX = 40_000;

/** Replaces a value that throws on reading. */
const UNREADABLE = "[Unreadable]";

/** Settings of an encoding. */
export interface EncodeOptions {
  readonly bytesMax: number;
  /** Names the value in the error, as "the result". */
  readonly what: string;
  /** Refuse values that JSON cannot represent, instead of writing a placeholder. */
  readonly isExact?: boolean;
}

/** One encoding: the text so far, its size, and the open objects. */
class JsonWriter {
  #text = "";
  #bytes = 0;
  #dropped = 0;
  #refusal: JobError | null = null;
  readonly #open = new Set<object>();
  readonly #bytesMax: number;
  readonly #what: string;
  readonly #isExact: boolean;

  constructor(options: EncodeOptions) {
    this.#bytesMax = options.bytesMax;
    this.#what = options.what;
    this.#isExact = options.isExact ?? false;
  }

  encode(value: unknown): string {
    if (!this.#value(value, 0)) this.#ascii("null");
    return this.#text;
  }

  #refuse(): never {
    this.#refusal ??= new JobError(
      "invalid_argument",
      `Cannot encode ${this.#what}: more than ${this.#bytesMax} bytes of JSON`,
      { hint: "Keep large data in a file or a database and pass its name" },
    );
    throw this.#refusal;
  }

  /** Write a placeholder for a value that JSON cannot represent, or refuse it. */
  #stand(text: string, found: string): void {
    if (this.#isExact) {
      this.#refusal ??= new JobError(
        "invalid_argument",
        `Cannot encode ${this.#what}: JSON has no form for ${found}`,
        { hint: "Pass plain data: numbers, text, dates, arrays, objects, maps and sets" },
      );
      throw this.#refusal;
    }
    this.#ascii(text);
  }

  #ascii(text: string): void {
    this.#bytes += text.length;
    if (this.#bytes > this.#bytesMax) this.#refuse();
    this.#text += text;
  }

  #string(value: string): void {
    if (value.length > this.#bytesMax - this.#bytes) this.#refuse();
    if (this.#isExact && !value.isWellFormed()) this.#stand("", "half of a surrogate pair");
    const text = JSON.stringify(value.toWellFormed());
    this.#bytes += utf8Bytes(text);
    if (this.#bytes > this.#bytesMax) this.#refuse();
    this.#text += text;
  }

  /** Write a value. Returns false and writes nothing for values that JSON drops. */
  #value(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "string":
        this.#string(value);
        return true;
      case "number":
        if (Number.isFinite(value)) this.#ascii(JSON.stringify(value));
        else this.#stand(`"${value}"`, String(value));
        return true;
      case "boolean":
        this.#ascii(value ? "true" : "false");
        return true;
      case "bigint":
        this.#bigint(value);
        return true;
      case "object":
        if (value === null) this.#ascii("null");
        else this.#object(value, depth, true);
        return true;
      default:
        if (this.#isExact && value !== undefined) this.#stand("", `a ${typeof value}`);
        if (++this.#dropped > DROPPED_MAX) this.#refuse();
        return false;
    }
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(BIGINT_BITS_MAX, value) !== value) {
      return this.#stand('"[Huge integer]"', "an integer of so many digits");
    }
    const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    this.#ascii(isSafe ? String(value) : `"${value}"`);
  }

  #object(value: object, depth: number, usesToJson: boolean): void {
    if (this.#open.has(value)) return this.#stand('"[Circular]"', "an object inside itself");
    if (depth >= ENCODE_DEPTH_MAX) {
      return this.#stand('"[Too deep]"', `more than ${ENCODE_DEPTH_MAX} levels`);
    }
    const text = this.#text;
    const bytes = this.#bytes;
    this.#open.add(value);
    try {
      this.#known(value, depth, usesToJson);
    } catch (error) {
      if (error === this.#refusal) throw error;
      // A proxy or a toJSON threw in the middle: undo the partial text.
      this.#text = text;
      this.#bytes = bytes;
      this.#stand(`"${UNREADABLE}"`, "an object that throws while it is read");
    } finally {
      this.#open.delete(value);
    }
  }

  #known(value: object, depth: number, usesToJson: boolean): void {
    if (value instanceof Date) {
      const ms = Date.prototype.getTime.call(value);
      if (Number.isNaN(ms)) return this.#stand('"Invalid Date"', "an invalid Date");
      return this.#ascii(`"${new Date(ms).toISOString()}"`);
    }
    const bytes = bytesOf(value);
    if (bytes !== null) {
      if (bytes.length > this.#bytesMax) this.#refuse();
      return this.#ascii(`"${base64(bytes)}"`);
    }
    const toJson: unknown = usesToJson ? Reflect.get(value, "toJSON") : undefined;
    if (typeof toJson === "function") {
      const plain: unknown = toJson.call(value, "");
      if (plain === value) this.#structure(value, depth);
      // As in JSON.stringify, toJSON of the returned value is not called.
      else if (typeof plain === "object" && plain !== null) this.#object(plain, depth, false);
      else if (!this.#value(plain, depth)) this.#ascii("null");
      return;
    }
    this.#structure(value, depth);
  }

  #structure(value: object, depth: number): void {
    if (Array.isArray(value)) this.#array(value, depth);
    else if (value instanceof Map) this.#map(value, depth);
    else if (value instanceof Set) this.#array([...value], depth);
    else if (ArrayBuffer.isView(value)) {
      this.#array(value as unknown as ArrayLike<unknown>, depth);
    } else if (value instanceof Promise) this.#stand('"[Promise]"', "a promise");
    else if (value instanceof RegExp) this.#string(String(value));
    else if (value instanceof Error) this.#members(errorFields(value), depth);
    else if (
      value instanceof Number || value instanceof String || value instanceof Boolean ||
      value instanceof BigInt
    ) this.#value(value.valueOf(), depth);
    else this.#members(value, depth);
  }

  #array(items: ArrayLike<unknown>, depth: number): void {
    this.#ascii("[");
    const length = items.length;
    for (let index = 0; index < length; index++) {
      if (index > 0) this.#ascii(",");
      if (!this.#value(read(items, index), depth + 1)) this.#ascii("null");
    }
    this.#ascii("]");
  }

  #map(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    if (hasMemberKeys(map)) this.#members(Object.fromEntries(map), depth);
    else this.#array([...map], depth);
  }

  #members(source: object, depth: number): void {
    this.#ascii("{");
    let isFirst = true;
    for (const key of Object.keys(source)) {
      const text = this.#text;
      const bytes = this.#bytes;
      if (!isFirst) this.#ascii(",");
      this.#string(key);
      this.#ascii(":");
      if (this.#value(read(source, key), depth + 1)) isFirst = false;
      else {
        this.#text = text;
        this.#bytes = bytes;
      }
    }
    this.#ascii("}");
  }
}

// An object lists names that look like indexes first.
const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** True if an object can represent `map`: all keys are text, and an object keeps their order. */
export function hasMemberKeys(
  map: ReadonlyMap<unknown, unknown>,
): map is ReadonlyMap<string, unknown> {
  for (const key of map.keys()) {
    if (typeof key !== "string" || INDEX.test(key)) return false;
  }
  return true;
}

/** A member of any object, or a placeholder if reading it throws. */
function read(source: object, key: string | number): unknown {
  try {
    return Reflect.get(source, key);
  } catch {
    return UNREADABLE;
  }
}

/** The bytes of a binary value, not copied; null for other values, and other typed arrays. */
export function bytesOf(value: object): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!(value instanceof DataView)) return null;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Name, message and enumerable members of an error, which JSON alone would write as `{}`. */
function errorFields(error: Error): object {
  const told = ["name", "message"].map((key) => [key, readText(error, key) ?? UNREADABLE]);
  const own = Object.keys(error).map((key) => [key, read(error, key)] as const);
  return Object.fromEntries([...told, ...own]);
}

/**
 * JSON text of any value. Throws only for the size. As `JSON.stringify`, with these additions:
 *
 * - bigint: a number if safe, otherwise decimal text; beyond 40,000 bits `"[Huge integer]"`
 * - NaN and infinities: `"NaN"`, `"Infinity"`, `"-Infinity"`; an invalid Date: `"Invalid Date"`
 * - Map: an object if all keys are strings and none looks like an index, otherwise pairs
 * - Set and typed arrays: an array; Uint8Array, ArrayBuffer and DataView: base64
 * - Error: name, message and own members; RegExp: its text
 * - a promise inside: `"[Promise]"`; a cycle: `"[Circular]"`; a value that throws when it is read:
 *   `"[Unreadable]"`; deeper than {@link ENCODE_DEPTH_MAX} levels: `"[Too deep]"`
 * - lone surrogates: U+FFFD
 *
 * Functions, symbols and undefined are dropped from objects and are null elsewhere.
 *
 * @throws JobError `invalid_argument` as soon as the text exceeds `bytesMax` bytes; the rest is not
 *   read
 */
export function encodeJson(value: unknown, options: EncodeOptions): string {
  return new JsonWriter(options).encode(value);
}

/**
 * JSON text of the array of results for a job's return value.
 *
 * - No result: undefined, or any value of a function declared `void`.
 * - Several results: an array, if the function declares a tuple of two or more.
 * - One result: anything else, also an array.
 *
 * @param resultCount as in the signature, null if unknown
 * @throws JobError `invalid_argument` if they take more than PAYLOAD_BYTES_MAX bytes
 */
export function encodeResults(value: unknown, resultCount: number | null): string {
  if (value === undefined || resultCount === 0) return "[]";
  const isTuple = resultCount !== null && resultCount > 1 && isArray(value);
  return encodeJson(isTuple ? value : [value], { bytesMax: PAYLOAD_BYTES_MAX, what: "the result" });
}

// Array.isArray throws on a revoked proxy.
function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * Reduce any thrown value to name, message and stack of bounded size. Never throws. The stacks of
 * errors that an AggregateError combines, and of the causes, follow. A value that is not an Error
 * gets the name "NonError" and its text or JSON as message.
 *
 * @param mask replaces secrets before anything is cut
 * @param endStack shortens each stack; undefined omits it
 */
export function encodeError(
  thrown: unknown,
  mask?: SecretMask,
  endStack: (stack: string) => string | undefined = (stack) => stack,
): ErrorInfo {
  const { name, message } = describeThrown(thrown, mask);
  const texts: string[] = [];
  const seen = new Set<unknown>();
  const add = (error: unknown, title: string): void => {
    if (seen.has(error) || seen.size === RELATED_MAX) return;
    seen.add(error);
    const whole = readText(error, "stack", mask);
    const stack = whole === undefined ? undefined : endStack(whole);
    if (stack !== undefined) texts.push(title + stack);
    else if (title !== "") texts.push(title + lineOf(describeThrown(error, mask)));
    const errors = readMember(error, "errors");
    if (isArray(errors)) {
      const list = errors as readonly unknown[];
      list.slice(0, RELATED_MAX).forEach((one, index) =>
        add(one, `Error ${index + 1} of ${list.length}: `)
      );
    }
    const cause = readMember(error, "cause");
    if (cause !== undefined && cause !== null) add(cause, "Caused by: ");
  };
  add(thrown, "");
  const stack = texts.join("\n");
  return stack === ""
    ? { name, message }
    : { name, message, stack: cutText(stack, ERROR_STACK_BYTES_MAX) };
}

function lineOf({ name, message }: Pick<ErrorInfo, "name" | "message">): string {
  return `${name}: ${message}`;
}

/** An error received as data, reduced to known members within their limits. */
export function boundError({ name, message, stack, exitCode, signal }: ErrorInfo): ErrorInfo {
  return {
    name: cutText(name, ERROR_NAME_BYTES_MAX),
    message: cutText(message, ERROR_MESSAGE_BYTES_MAX),
    ...(stack === undefined ? {} : { stack: cutText(stack, ERROR_STACK_BYTES_MAX) }),
    ...(exitCode === undefined || exitCode === null ? {} : { exitCode }),
    ...(signal === undefined || signal === null
      ? {}
      : { signal: cutText(signal, ERROR_NAME_BYTES_MAX) }),
  };
}

function describeThrown(
  thrown: unknown,
  mask: SecretMask | undefined,
): { readonly name: string; readonly message: string } {
  const message = readText(thrown, "message", mask);
  if (message !== undefined) {
    const name = readText(thrown, "name", mask) || "Error";
    return {
      name: cutText(name, ERROR_NAME_BYTES_MAX),
      message: cutText(message, ERROR_MESSAGE_BYTES_MAX),
    };
  }
  return {
    name: "NonError",
    message: cutText(bounded(textOf(thrown), mask), ERROR_MESSAGE_BYTES_MAX),
  };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    if (typeof value !== "object" || value === null) return String(value);
    return encodeJson(value, { bytesMax: ERROR_MESSAGE_BYTES_MAX, what: "the error" });
  } catch {
    return "a value too large to show";
  }
}

function readMember(value: unknown, key: string): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) {
    return undefined;
  }
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined;
  }
}

function readText(value: unknown, key: string, mask?: SecretMask): string | undefined {
  const text = readMember(value, key);
  return typeof text === "string" ? bounded(text, mask) : undefined;
}

// Cutting first avoids copying a message of megabytes.
function bounded(text: string, mask: SecretMask | undefined): string {
  const lengthMax = ERROR_STACK_BYTES_MAX + 1;
  return mask?.bounded(text, lengthMax) ?? text.slice(0, lengthMax);
}
