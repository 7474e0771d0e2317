import { atPath, JobError } from "../errors.ts";
import {
  type Check,
  isDuration,
  isFilled,
  isFlag,
  isListOf,
  isObject,
  isOneOf,
  isParsed,
  isText,
  isWhole,
  isWithin,
} from "../text/object_keys.ts";
import { parseSize } from "../text/size.ts";
import { BLACKOUTS_MAX, parseBlackout } from "../time/blackout.ts";
import { type DurationInput, parseDuration } from "../time/duration.ts";
import {
  CODE_STYLE,
  CONCURRENCY_WANTED,
  parseConcurrency,
  parseRate,
  parseUnique,
  RATE_WANTED,
  uniqueWanted,
} from "./limit_inputs.ts";
import { isNodeName, NODE_NAME_WANTED, TAGS_MAX } from "./tags.ts";

/**
 * The values that an option of a job accepts in definitions. The configuration has its own reader
 * for each {@link OptionForm}.
 */
export interface OptionValue {
  /** The form in the configuration, with its limits. */
  readonly form: OptionForm;
  /** Its type in TypeScript. */
  readonly type: string;
  /** The type of the resolved value, in TypeScript. */
  readonly becomes: string;
  /** The values that a definition may have, in words and as a check. */
  readonly wanted: string;
  readonly check: Check;
  /**
   * Resolve a value of a definition that passed the check.
   *
   * @param path of the option, for errors
   * @throws JobError `invalid_argument` with that path
   */
  readonly parse: (value: never, path: string) => unknown;
}

/** Form of an option in the configuration. */
export type OptionForm =
  | { readonly name: "duration"; readonly minMs: number }
  | { readonly name: "size"; readonly minBytes: number }
  | { readonly name: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly name: "choice" | "choices"; readonly words: readonly string[] }
  | { readonly name: "text"; readonly lengthMax: number; readonly isEmptyAllowed: boolean }
  | { readonly name: PlainForm };

/** The forms without limits. */
export type PlainForm =
  | ("flag" | "failures" | "tags" | "channels" | "concurrency" | "rate" | "unique")
  | ("schedules" | "timezone" | "time" | "blackout" | "silence" | "arguments");

/** A value that the program uses unchanged. */
function asGiven(value: Omit<OptionValue, "becomes" | "parse">): OptionValue {
  return { ...value, becomes: value.type, parse: (given) => given };
}

/** A value whose parser is its check. */
function parsed(
  value: Omit<OptionValue, "check" | "parse">,
  parse: (value: unknown) => unknown,
): OptionValue {
  return { ...value, check: isParsed(parse), parse };
}

type Parse<T> = (value: T, path: string) => unknown;

function tooSmall(path: string, value: unknown, least: string): JobError {
  const found = `Cannot use "${path}" ${JSON.stringify(value)}`;
  return new JobError("invalid_argument", `${found}: wanted ${least} or more`, { path });
}

/** A length of time. */
export function duration(minMs = 0): OptionValue {
  const parse: Parse<DurationInput> = (value, path) => {
    const ms = typeof value === "number" ? value : atPath(path, () => parseDuration(value));
    if (ms < minMs) throw tooSmall(path, value, `${minMs / 1_000}s`);
    return ms;
  };
  return {
    form: { name: "duration", minMs },
    type: "DurationInput",
    becomes: "number",
    wanted: "milliseconds or duration text",
    check: isDuration,
    parse,
  };
}

/** A number of bytes. */
export function size(minBytes: number): OptionValue {
  const parse: Parse<number | string> = (value, path) => {
    const bytes = typeof value === "number" ? value : atPath(path, () => parseSize(value));
    if (bytes < minBytes) throw tooSmall(path, value, `${minBytes} bytes`);
    return bytes;
  };
  return {
    form: { name: "size", minBytes },
    type: "number | string",
    becomes: "number",
    wanted: 'bytes or size text such as "1MiB"',
    check: (value) => isText(value) || isWhole(0)(value),
    parse,
  };
}

/**
 * A whole number.
 *
 * @param code the limits in definitions, where they differ from the configuration's
 */
export function integer(
  min: number,
  max: number,
  code: { readonly min?: number; readonly max?: number } = {},
): OptionValue {
  const least = code.min ?? min;
  const most = code.max ?? max;
  return asGiven({
    form: { name: "integer", min, max },
    type: "number",
    wanted: most === Infinity
      ? `a whole number of ${least} or more`
      : `a whole number from ${least} to ${most}`,
    check: isWithin(least, most),
  });
}

/** A share, from 0 to 1. */
export const SHARE: OptionValue = asGiven({
  form: { name: "number", min: 0, max: 1 },
  type: "number",
  wanted: "a number from 0 to 1",
  check: (value) => typeof value === "number" && value >= 0 && value <= 1,
});

/** True or false. */
export const FLAG: OptionValue = asGiven({
  form: { name: "flag" },
  type: "boolean",
  wanted: "true or false",
  check: isFlag,
});

/** One of a few words. */
export function choice(words: readonly string[]): OptionValue {
  return asGiven({
    form: { name: "choice", words },
    type: words.map(quoted).join(" | "),
    wanted: `${words.slice(0, -1).map(quoted).join(", ")} or ${quoted(words.at(-1)!)}`,
    check: isOneOf(words),
  });
}

/** Several of a few words. */
export function choices(words: readonly string[]): OptionValue {
  return asGiven({
    form: { name: "choices", words },
    type: `readonly (${words.map(quoted).join(" | ")})[]`,
    wanted: `a list of ${words.map(quoted).join(" and ")}`,
    check: isListOf(isOneOf(words)),
  });
}

/** Failures by the name of the error, the exit code or the signal. */
export const FAILURES: OptionValue = asGiven({
  form: { name: "failures" },
  type: "readonly (string | number)[]",
  wanted: "a list of error names, signals and exit codes",
  check: isListOf((value) => isText(value) || isWhole(0)(value)),
});

/** Any text. */
export function text(
  { lengthMax = Infinity, isEmptyAllowed = false }: {
    readonly lengthMax?: number;
    readonly isEmptyAllowed?: boolean;
  } = {},
): OptionValue {
  const limit = lengthMax === Infinity ? "" : ` of at most ${lengthMax} characters`;
  return asGiven({
    form: { name: "text", lengthMax, isEmptyAllowed },
    type: "string",
    wanted: isEmptyAllowed ? `text${limit}` : `text${limit} that is not empty`,
    check: (value) =>
      isText(value) && value.length <= lengthMax && (isEmptyAllowed || value !== ""),
  });
}

/** One tag of nodes, or several. */
export const TAGS: OptionValue = {
  form: { name: "tags" },
  type: "string | readonly string[]",
  becomes: "readonly string[]",
  wanted: `${NODE_NAME_WANTED}, or a list of at most ${TAGS_MAX}`,
  check: (value) =>
    isNodeName(value) || (isListOf(isNodeName)(value) && (value as string[]).length <= TAGS_MAX),
  parse: (value: string | readonly string[]) => [value].flat(),
};

/** Most channels that a job may name. */
export const CHANNELS_MAX = 100;

/** Channels by their names. */
export const CHANNELS: OptionValue = {
  form: { name: "channels" },
  type: "string | readonly string[]",
  becomes: "readonly string[]",
  wanted: `the name of a channel, or a list of at most ${CHANNELS_MAX}`,
  check: (value) =>
    isFilled(value) || (isListOf(isFilled)(value) && (value as string[]).length <= CHANNELS_MAX),
  parse: (value: string | readonly string[]) => [value].flat(),
};

/** Number of instances that run at once. */
export const CONCURRENCY: OptionValue = parsed({
  form: { name: "concurrency" },
  type: "number | ConcurrencyInput | readonly (number | ConcurrencyInput)[]",
  becomes: "readonly ConcurrencyLimit[]",
  wanted: CONCURRENCY_WANTED,
}, parseConcurrency);

/** Number of instances that start in a span of time. */
export const RATE: OptionValue = parsed({
  form: { name: "rate" },
  type: "string | RateInput | readonly (string | RateInput)[]",
  becomes: "readonly RateLimit[]",
  wanted: RATE_WANTED,
}, (value) => parseRate(value, CODE_STYLE));

/** Rule for equal instances. */
export const UNIQUE: OptionValue = parsed({
  form: { name: "unique" },
  type: "string | readonly string[] | UniqueInput",
  becomes: "UniquePolicy",
  wanted: uniqueWanted(CODE_STYLE),
}, (value) => parseUnique(value, CODE_STYLE));

/** One text or several; the configuration checks each. */
export function texts(name: "schedules" | "blackout" | "silence"): OptionValue {
  const parse: Parse<string | readonly string[]> = (value, path) => {
    const list = [value].flat();
    if (name !== "schedules") atPath(path, () => list.forEach((text) => parseBlackout(text, name)));
    return list;
  };
  return {
    form: { name },
    type: "string | readonly string[]",
    becomes: "readonly string[]",
    wanted: name === "silence"
      ? `text or a list of at most ${BLACKOUTS_MAX}`
      : "text or a list of texts",
    check: (value) =>
      isText(value) ||
      (isListOf(isText)(value) &&
        (name !== "silence" || (value as string[]).length <= BLACKOUTS_MAX)),
    parse,
  };
}

/** A zone of the IANA database; its existence is checked when ticks are computed. */
export const TIMEZONE: OptionValue = asGiven({
  form: { name: "timezone" },
  type: "string",
  wanted: "text",
  check: isText,
});

/** A point in time, read when the zone of the schedule is known. */
export const TIME: OptionValue = asGiven({
  form: { name: "time" },
  type: "string",
  wanted: 'text such as "2026-12-24" or "2026-12-24T18:00:00Z"',
  check: isText,
});

/** Arguments by position or by name. */
export const ARGUMENTS: OptionValue = asGiven({
  form: { name: "arguments" },
  type: "ArgumentInput",
  wanted: "a list of values, or an object by parameter name",
  check: (value) => Array.isArray(value) || isObject(value),
});

function quoted(word: string): string {
  return JSON.stringify(word);
}
