import { quoteValue } from "../text/quote_value.ts";
import { parseDuration } from "../time/duration.ts";
import { isJobError, JobError } from "../errors.ts";
import {
  BY_PATHS_MAX,
  type ConcurrencyLimit,
  type RateLimit,
  type UniquePolicy,
} from "./limits.ts";
import { didYouMean } from "../text/nearest.ts";

/** One concurrency limit as written; a number is the maximum of the whole job. */
export interface ConcurrencyInput {
  readonly max: number;
  /**
   * A parameter, a path into it such as `customer.id`, or several. Each value is counted
   * separately.
   */
  readonly by?: string | readonly string[];
  readonly per?: "cluster" | "node";
  /**
   * "instance": an instance keeps its slot from its first attempt to its end, also while it waits
   * for a step, a signal, a child or a retry. By default ("attempt") only while it runs.
   */
  readonly hold?: "attempt" | "instance";
}

/** One limit of starts as written; `"10/1m"` is ten in any minute of the whole job. */
export interface RateInput {
  readonly max: number;
  readonly per: number | string;
  readonly by?: string | readonly string[];
}

/** Rule for equal instances, as written. Text or a list is `by`. */
export interface UniqueInput {
  /** "arguments" (the default) for all, or parameters and paths into them. */
  readonly by?: string | readonly string[];
  /** Time for which the key stays taken after acceptance; by default until it finishes. */
  readonly for?: number | string;
  readonly onConflict?: "keep" | "replace";
}

/** The spelling of members at the place of an input. */
export interface InputStyle {
  readonly onConflict: "onConflict" | "on_conflict";
  /** True if a number is a duration in milliseconds. */
  readonly hasMilliseconds: boolean;
}

/** Definitions in modules and in the library. */
export const CODE_STYLE: InputStyle = { onConflict: "onConflict", hasMilliseconds: true };
/** Tables of the configuration. */
export const TABLE_STYLE: InputStyle = { onConflict: "on_conflict", hasMilliseconds: false };

/** All arguments of an instance, in `unique.by`. */
const ALL_ARGUMENTS = "arguments";
const COUNT_MAX = 1_000_000;

/** The wanted value of `concurrency`, in words. */
export const CONCURRENCY_WANTED =
  "a number of 1 or more, a table { max, by, per, hold }, or a list of them";
/** The wanted value of `rate`, in words. */
export const RATE_WANTED = 'text such as "10/1m", a table { max, per, by }, or a list of them';

/** The wanted value of `unique`, in words. */
export function uniqueWanted({ onConflict }: InputStyle): string {
  return `"arguments", parameters, or a table { by, for, ${onConflict} = "keep" or "replace" }`;
}

/** Read the limits of concurrency. @throws JobError `invalid_argument` */
export function parseConcurrency(value: unknown): readonly ConcurrencyLimit[] {
  return listOf(value, CONCURRENCY_WANTED).map((one) => {
    if (typeof one === "number") {
      return { max: count(one, CONCURRENCY_WANTED), by: [], per: "cluster" };
    }
    const table = tableOf(one, ["max", "by", "per", "hold"], CONCURRENCY_WANTED);
    const { per = "cluster", hold = "attempt" } = table;
    if (per !== "cluster" && per !== "node") {
      throw mismatch(per, 'per = "cluster" or "node"');
    }
    if (hold !== "attempt" && hold !== "instance") {
      throw mismatch(hold, 'hold = "attempt" or "instance"');
    }
    if (hold === "instance" && per === "node") {
      throw mismatch(per, 'per = "cluster" beside hold = "instance": what waits is on no node');
    }
    const max = count(table.max, CONCURRENCY_WANTED);
    const limit: ConcurrencyLimit = { max, by: pathsOf(table.by), per };
    return hold === "instance" ? { ...limit, hold } : limit;
  });
}

/** Read the limits of starts. @throws JobError `invalid_argument` */
export function parseRate(value: unknown, style: InputStyle): readonly RateLimit[] {
  return listOf(value, RATE_WANTED).map((one) => {
    if (typeof one === "string") {
      const match = /^(\d{1,7})\s*\/\s*(.+)$/.exec(one);
      if (!match) throw mismatch(one, RATE_WANTED);
      const span = /^[a-z]+$/.test(match[2]!) ? `1${match[2]}` : match[2];
      return { max: count(Number(match[1]), RATE_WANTED), perMs: spanOf(span, style), by: [] };
    }
    const table = tableOf(one, ["max", "per", "by"], RATE_WANTED);
    const max = count(table.max, RATE_WANTED);
    return { max, perMs: spanOf(table.per, style), by: pathsOf(table.by) };
  });
}

/** Read the rule for equal instances. @throws JobError `invalid_argument` */
export function parseUnique(value: unknown, style: InputStyle): UniquePolicy {
  const wanted = uniqueWanted(style);
  if (typeof value === "string" || Array.isArray(value)) {
    return { by: argumentsOrPaths(value), forMs: null, onConflict: "keep" };
  }
  const table = tableOf(value, ["by", "for", style.onConflict], wanted);
  const onConflict = table[style.onConflict] ?? "keep";
  if (onConflict !== "keep" && onConflict !== "replace") {
    throw mismatch(onConflict, `${style.onConflict} = "keep" or "replace"`);
  }
  return {
    by: argumentsOrPaths(table.by),
    forMs: table.for === undefined ? null : spanOf(table.for, style),
    onConflict,
  };
}

function listOf(value: unknown, wanted: string): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  if (value.length === 0) throw mismatch(value, wanted);
  return value;
}

function tableOf(
  value: unknown,
  keys: readonly string[],
  wanted: string,
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw mismatch(value, wanted);
  }
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    throw new JobError("invalid_argument", `found the unknown key "${key}"`, {
      hint: didYouMean(key, keys) ?? `Known keys: ${keys.join(", ")}`,
    });
  }
  return value as Readonly<Record<string, unknown>>;
}

function count(value: unknown, wanted: string): number {
  if (value === undefined) {
    throw new JobError("invalid_argument", `found no max, wanted ${wanted}`);
  }
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= COUNT_MAX) {
    return value;
  }
  throw mismatch(value, `a whole number from 1 to ${COUNT_MAX}`);
}

function spanOf(value: unknown, style: InputStyle): number {
  const wanted = 'a duration longer than 0 such as "1m"';
  if (value === undefined) throw new JobError("invalid_argument", `found no per, wanted ${wanted}`);
  let ms = typeof value === "number" && style.hasMilliseconds ? value : NaN;
  try {
    if (typeof value === "string") ms = parseDuration(value);
  } catch (error) {
    if (!isJobError(error)) throw error;
  }
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw mismatch(value, wanted);
}

function argumentsOrPaths(value: unknown): readonly string[] | null {
  return value === undefined || value === ALL_ARGUMENTS ? null : pathsOf(value);
}

function pathsOf(value: unknown): readonly string[] {
  if (value === undefined) return [];
  const paths: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isRight = paths.length > 0 && paths.length <= BY_PATHS_MAX &&
    paths.every((path) => typeof path === "string" && /^[^.\s]+(\.[^.\s]+)*$/.test(path)) &&
    new Set(paths).size === paths.length;
  if (isRight) return paths as readonly string[];
  throw mismatch(value, `by = a parameter such as "account" or "customer.id", or a list of them`);
}

function mismatch(value: unknown, wanted: string): JobError {
  return new JobError("invalid_argument", `found ${quoteValue(value)}, wanted ${wanted}`);
}
