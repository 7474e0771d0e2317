import { quoteValue } from "../../core/text/quote_value.ts";
import { jsonText } from "../../core/arguments/json_text.ts";
import { JobError } from "../../core/errors.ts";
import { isObject, unknownMember, wrongMember } from "../../core/text/object_keys.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { parseZonedTime } from "../../core/time/wall_time.ts";
import { type FieldName, jsonFields, namesOf, numberOfWord, wordsOf } from "./json_names.ts";
import { type Time, timeOfMs } from "./time.ts";
import type { Field } from "./message_table.ts";

/** The members of a message, as requests are written. */
export type MessageInit = Record<string, unknown>;

/** Most values of one list: more than any list of a request may have. */
const ITEMS_MAX = 10_000;
const TIME_WANTED = 'a time such as "2026-12-24T18:00:00Z"';
const ZONED = /T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/i;
const WHOLE = /^-?\d{1,17}$/;
const NUMBER = /^-?\d{1,20}(?:\.\d{1,20})?$/;
const FLAGS: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };

/**
 * Reads JSON values as fields of messages. Refuses unknown members: a cancel with a misspelled
 * condition would cancel more than its caller meant.
 */
export class MessageReader {
  readonly #failure: string;

  /** @param failure begins its errors, such as "Cannot read the body" */
  constructor(failure: string) {
    this.#failure = failure;
  }

  /**
   * The members of a message.
   *
   * @param prefix path of the message with a final period; empty for the whole
   * @throws JobError `invalid_argument` with the path of the member
   */
  message(typeName: string, value: unknown, prefix = ""): MessageInit {
    if (!isObject(value)) {
      throw this.#wrong(prefix.slice(0, -1), value, "an object");
    }
    const init: MessageInit = {};
    for (const key of Object.keys(value)) {
      const found = this.name(typeName, key, prefix);
      this.#set(init, found, this.#field(found, value[key], prefix + key), prefix + key);
    }
    return init;
  }

  /** The field of a name. @throws JobError `invalid_argument` with the nearest name */
  name(typeName: string, name: string, prefix: string): FieldName {
    const found = namesOf(typeName).get(name);
    if (found !== undefined) return found;
    // The error repeats the name.
    const known = jsonFields(typeName).map(({ json }) => json);
    throw unknownMember(name.slice(0, 100), known, {
      failure: this.#failure,
      noun: "field",
      prefix,
    });
  }

  /**
   * Set a field from the values of a parameter of a query or a path.
   *
   * @throws JobError `invalid_argument` with the name
   */
  setTexts(init: MessageInit, found: FieldName, texts: readonly string[], name: string): void {
    const { isList } = found.field;
    if (!isList && texts.length > 1) {
      throw this.#refusal(name, `"${name}" is given ${texts.length} times, wanted once`);
    }
    const read = (text: string) => this.#value(found, this.#typed(found, text, name), name);
    this.#set(init, found, isList ? texts.map(read) : read(texts[0]!), name);
  }

  #set(init: MessageInit, { field: { name } }: FieldName, value: unknown, path: string): void {
    if (Object.hasOwn(init, name)) {
      throw this.#refusal(path, `"${path}" is given twice, under different names`);
    }
    init[name] = value;
  }

  #field(found: FieldName, value: unknown, path: string): unknown {
    if (!found.field.isList) return this.#value(found, value, path);
    if (!Array.isArray(value)) throw this.#wrong(path, value, "an array");
    if (value.length > ITEMS_MAX) {
      throw this.#wrong(path, value, `an array of at most ${ITEMS_MAX}`);
    }
    return value.map((item, index) => this.#value(found, item, `${path}[${index}]`));
  }

  #value({ field, isDuration, isJsonText }: FieldName, value: unknown, path: string): unknown {
    if (isDuration) return this.#duration(value, path);
    switch (field.kind) {
      case "text":
        return this.#text(value, path);
      case "flag":
        if (typeof value === "boolean") return value;
        throw this.#wrong(path, value, "true or false");
      case "int":
      case "sint":
        return this.#int(value, path);
      case "long":
        if (Number.isSafeInteger(value)) return BigInt(value as number);
        throw this.#wrong(path, value, "a whole number below 2^53");
      case "double":
        if (Number.isFinite(value)) return value;
        throw this.#wrong(path, value, "a number");
      case "choice":
        return this.#choice(field, value, path);
      case "time":
        return this.#time(value, path);
      case "json":
        return isJsonText ? this.#text(value, path) : jsonText(value);
      case "message":
        return this.message(field.type, value, `${path}.`);
      case "bytes":
        throw new TypeError("Bytes cannot be written as JSON");
    }
  }

  /** The value of a text, by the type of its field; errors are about the field. */
  #typed({ field: { kind }, isDuration }: FieldName, text: string, name: string): unknown {
    if (isDuration) return text;
    switch (kind) {
      case "flag":
        return Object.hasOwn(FLAGS, text) ? FLAGS[text] : text;
      case "int":
      case "sint":
      case "long":
        return WHOLE.test(text) ? Number(text) : text;
      case "double":
        return NUMBER.test(text) ? Number(text) : text;
      case "json":
      case "message":
        throw this.#refusal(name, `"${name}" cannot be a parameter`);
      default:
        return text;
    }
  }

  #text(value: unknown, path: string): string {
    if (typeof value !== "string") throw this.#wrong(path, value, "text");
    if (value.includes("\0")) throw this.#wrong(path, value, "text without NUL characters");
    if (value.isWellFormed()) return value;
    throw this.#refusal(path, `"${path}" has half of a surrogate pair`);
  }

  #int(value: unknown, path: string): number {
    if (Number.isInteger(value) && (value as number) === ((value as number) | 0)) {
      return value as number;
    }
    throw this.#wrong(path, value, "a whole number of 32 bits");
  }

  #choice({ type }: Field, value: unknown, path: string): number {
    const found = typeof value === "string" ? numberOfWord(type, value) : undefined;
    if (found !== undefined) return found;
    throw this.#wrong(path, value, wordsOf(type).join(", "));
  }

  #time(value: unknown, path: string): Time {
    const text = typeof value === "string" ? value.trim() : "";
    try {
      if (ZONED.test(text)) return timeOfMs(msOf(text));
    } catch {
      // Refused below: it looks like a time, but is invalid.
    }
    throw this.#wrong(path, value, TIME_WANTED);
  }

  #duration(value: unknown, path: string): bigint {
    if (typeof value !== "string") throw this.#wrong(path, value, 'a duration such as "30s"');
    try {
      return BigInt(parseDuration(value));
    } catch (error) {
      const { message, hint } = error as JobError;
      throw this.#refusal(path, `"${path}": ${message}`, hint);
    }
  }

  #wrong(path: string, value: unknown, wanted: string): JobError {
    if (path === "") return this.#refusal("", `found ${quoteValue(value)}, wanted ${wanted}`);
    const wrong = wrongMember(path, { failure: this.#failure, value, wanted });
    if (value !== null) return wrong;
    return this.#refusal(path, `"${path}" is null, not ${wanted}`, "Leave the field out");
  }

  #refusal(path: string, problem: string, hint?: string): JobError {
    return new JobError("invalid_argument", `${this.#failure}: ${problem}`, { path, hint });
  }
}

/** Epoch ms of a time including its fraction of a second, which the reader of times drops. */
function msOf(text: string): number {
  const fraction = /\.(\d{1,3})/.exec(text)?.[1] ?? "";
  return parseZonedTime(text, "UTC") + Number(fraction.padEnd(3, "0"));
}
