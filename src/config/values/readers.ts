import type { JsonSchema } from "../../core/arguments/json_schema.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { isJobError, type JobError } from "../../core/errors.ts";
import { nearest } from "../../core/text/nearest.ts";
import { formatSize, parseSize } from "../../core/text/size.ts";
import { openZone } from "../../core/time/zone.ts";
import { resolve } from "node:path";
import { isObject } from "../../core/text/object_keys.ts";
import { childOf, type Field, isText, type Report } from "./source.ts";

/** JSON Schema of any text. */
export const TEXT: JsonSchema = { type: "string" };

/** Checks a value and converts it for the program. */
export interface Reader<T> {
  /** JSON Schema of the value in a file. */
  readonly schema: JsonSchema;
  /** The wanted value in words, for messages and the documentation. */
  readonly wanted: string;
  /** True if a table may lack the value: then it is null. */
  readonly isOptional?: true;
  /** The value, or undefined after a problem was reported. */
  read(field: Field, report: Report): T | undefined;
}

/** A value that `accept` returns, perhaps changed. Undefined is a mismatch. */
export function accepted<T>(
  wanted: string,
  schema: JsonSchema,
  accept: (value: unknown, field: Field) => T | undefined,
): Reader<T> {
  return {
    schema,
    wanted,
    read(field, report) {
      const found = accept(field.value, field);
      return found === undefined ? report.mismatch(field, wanted) : found;
    },
  };
}

/** The value of `reader`, converted by `next`; undefined after a report. */
export function mapped<T, Next>(
  reader: Reader<T>,
  next: (value: T, field: Field, report: Report) => Next | undefined,
): Reader<Next> {
  return {
    ...reader,
    read(field, report) {
      const value = reader.read(field, report);
      return value === undefined ? undefined : next(value, field, report);
    },
  };
}

/** Any text, without NUL. */
export function string(
  options: { readonly isEmptyAllowed?: boolean; readonly lengthMax?: number } = {},
): Reader<string> {
  const wanted = options.isEmptyAllowed ? "a string" : "a string that is not empty";
  return {
    schema: { type: "string", minLength: options.isEmptyAllowed ? 0 : 1 },
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value !== "string") return report.mismatch(field, wanted);
      if (value === "" && !options.isEmptyAllowed) {
        return report.mismatch(field, wanted);
      }
      if (value.includes("\0")) {
        return report.value(field, "found a NUL character, wanted text");
      }
      const { lengthMax = Infinity } = options;
      if (value.length > lengthMax) {
        const found = `found ${value.length} characters, wanted at most ${lengthMax}`;
        return report.value(field, found);
      }
      return value;
    },
  };
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): Reader<T> {
  const quoted = words.map((word) => JSON.stringify(word));
  const wanted = words.length > 2 ? `one of ${quoted.join(", ")}` : quoted.join(" or ");
  return accepted(wanted, { enum: words }, (value) => words.find((word) => word === value));
}

/** A number between two limits, both included. */
export function number(
  options: { readonly min: number; readonly max: number; readonly isInteger?: boolean },
): Reader<number> {
  const { min, max, isInteger = false } = options;
  const wanted = `${isInteger ? "an integer" : "a number"} from ${min} to ${max}`;
  return {
    schema: { type: isInteger ? "integer" : "number", minimum: min, maximum: max },
    wanted,
    read(field, report) {
      const { value } = field;
      let found = value;
      if (isText(field) && typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value.trim())) {
        found = Number(value);
      }
      const isRight = typeof found === "number" && found >= min && found <= max &&
        (!isInteger || Number.isInteger(found));
      if (isRight) return found as number;
      const isQuoted = typeof value === "string" && /^-?\d+$/.test(value);
      return report.mismatch(field, wanted, isQuoted ? "Write it without quotes" : undefined);
    },
  };
}

/** An integer between two limits, both included. */
export function integer(min: number, max: number): Reader<number> {
  return number({ min, max, isInteger: true });
}

/** True or false. */
export const BOOLEAN: Reader<boolean> = accepted(
  "true or false",
  { type: "boolean" },
  (value, field) => {
    if (typeof value === "boolean") return value;
    return isText(field) && (value === "true" || value === "false") ? value === "true" : undefined;
  },
);

/** A text, converted by `parse`. It is a mismatch if the result is undefined or `parse` throws. */
export function parsedText<T>(
  wanted: string,
  parse: (text: string) => T | undefined,
  hintOf: (value: unknown, error?: JobError) => string | undefined = () => undefined,
): Reader<T> {
  return {
    schema: TEXT,
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value !== "string") return report.mismatch(field, wanted, hintOf(value));
      try {
        return parse(value) ?? report.mismatch(field, wanted);
      } catch (error) {
        if (!isJobError(error, "invalid_argument")) throw error;
        return report.mismatch(field, wanted, hintOf(value, error));
      }
    },
  };
}

/** A value as `parse` returns it. Its errors are the problems. */
export function parsedValue<T>(
  wanted: string,
  schema: JsonSchema,
  parse: (value: unknown) => T,
): Reader<T> {
  return {
    schema,
    wanted,
    read(field, report) {
      try {
        return parse(field.value);
      } catch (error) {
        if (!isJobError(error)) throw error;
        return report.value(field, error.message, error.hint);
      }
    },
  };
}

/** A duration as text, in milliseconds; also the number 0 if allowed. */
export function duration(options: { readonly minMs?: number } = {}): Reader<number> {
  const least = options.minMs ?? 0;
  const limit = least > 0 ? ` of at least ${least / 1000} s` : "";
  const text = parsedText(
    `a duration${limit} such as "30s", "1h30m" or "7d"`,
    (value) => atLeast(least, parseDuration(value)),
    (value) => typeof value === "number" ? `Write "${value}s" for seconds` : undefined,
  );
  return {
    schema: least === 0 ? { anyOf: [{ type: "string" }, { const: 0 }] } : text.schema,
    wanted: text.wanted,
    read: (field, report) => field.value === 0 && least === 0 ? 0 : text.read(field, report),
  };
}

/** A size as text, in bytes. */
export function size(options: { readonly minBytes?: number } = {}): Reader<number> {
  const least = options.minBytes ?? 0;
  const limit = least > 0 ? ` of at least ${formatSize(least)}` : "";
  return parsedText(
    `a size${limit} such as "512MB" or "2GiB"`,
    (value) => atLeast(least, parseSize(value)),
    (value) => typeof value === "number" ? `Write "${value}B" for bytes` : undefined,
  );
}

function atLeast(least: number, value: number): number | undefined {
  return value >= least ? value : undefined;
}

/** The name of a zone of the IANA database. */
export const TIMEZONE: Reader<string> = parsedText(
  'an IANA time zone such as "Europe/Berlin"',
  (name) => openZone(name).name,
  (_, error) => error?.hint,
);

/** A path, made absolute against the directory of the file that names it. */
export const PATH: Reader<string> = mapped(
  { ...string(), wanted: "a path" },
  (value, { source }) => resolve(source.baseDir, value),
);

/** A list of what `element` reads; outside of files, text with commas. */
export function list<T>(
  element: Reader<T>,
  options: { readonly minLength?: number; readonly maxLength?: number } = {},
): Reader<readonly T[]> {
  const { minLength = 0, maxLength = Infinity } = options;
  const wanted = `a list${
    minLength > 0 ? " that is not empty" : ""
  }; each element: ${element.wanted}`;
  const limit: JsonSchema = maxLength === Infinity ? {} : { maxItems: maxLength };
  return {
    schema: { type: "array", items: element.schema, minItems: minLength, ...limit },
    wanted,
    read(field, report) {
      let { value } = field;
      if (isText(field) && typeof value === "string") {
        value = value.split(",").map((part) => part.trim()).filter((part) => part !== "");
      }
      if (!Array.isArray(value) || value.length < minLength) {
        return report.mismatch(field, wanted);
      }
      if (value.length > maxLength) {
        return report.value(field, `found ${value.length} elements, wanted at most ${maxLength}`);
      }
      const read = value.map((item, index) => element.read(childOf(field, index, item), report));
      return read.includes(undefined) ? undefined : read as T[];
    },
  };
}

/** One value, or a list of them. */
export function oneOrMany<T>(
  element: Reader<T>,
  options: { readonly minLength?: number; readonly maxLength?: number } = {},
): Reader<readonly T[]> {
  const many = list(element, { minLength: 1, ...options });
  return {
    schema: { anyOf: [element.schema, many.schema] },
    wanted: `${element.wanted}, or a list of them`,
    read(field, report) {
      if (Array.isArray(field.value)) return many.read(field, report);
      const one = element.read(field, report);
      return one === undefined ? undefined : [one];
    },
  };
}

/** Like `reader`, for a key that may be absent: then it is null. */
export function optional<T>(reader: Reader<T>): Reader<T | null> {
  return {
    schema: reader.schema,
    wanted: reader.wanted,
    isOptional: true,
    read: (field, report) => field.value === undefined ? null : reader.read(field, report),
  };
}

/** A table with members of these names. {@link optional} ones are null when absent. */
export function table<T>(
  wanted: string,
  members: { readonly [Name in keyof T]: Reader<T[Name]> },
): Reader<T> {
  const readers = Object.entries<Reader<unknown>>(members);
  const names = readers.map(([name]) => name);
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(readers.map(([name, { schema }]) => [name, schema])),
      required: readers.filter(([, { isOptional }]) => !isOptional).map(([name]) => name),
      additionalProperties: false,
    },
    wanted,
    read(field, report) {
      const { value } = field;
      if (!isObject(value)) return report.value(field, `found no table, wanted ${wanted}`);
      for (const name of Object.keys(value)) {
        if (names.includes(name)) continue;
        const near = nearest(name, names);
        const hint = near === null ? `Wanted ${wanted}` : `Did you mean "${near}"?`;
        const meant = near === null ? null : [...field.path, near];
        report.unknown(childOf(field, name, null), hint, meant);
      }
      const read = readers.map(([name, reader]) => {
        const child = childOf(field, name, value[name]);
        if (value[name] !== undefined || reader.isOptional) {
          return [name, reader.read(child, report)] as const;
        }
        if (!report.isMisspelled(child.path)) {
          report.value(field, `found no ${name}, wanted ${wanted}`);
        }
        return [name, undefined] as const;
      });
      if (read.some(([, part]) => part === undefined)) return undefined;
      return Object.fromEntries(read) as T;
    },
  };
}
