import { JobError } from "../../core/errors.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { parseDuration } from "../../core/time/duration.ts";
import type { OptionSpecs } from "./options.ts";
import { type Direction, isWallTime, parseTime } from "./time.ts";

/** The parsed command line that {@link Args} read. */
export interface ArgsInput {
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly values: Readonly<Record<string, unknown>>;
  readonly specs: OptionSpecs;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: number;
  /** Names among the values that are arguments by name. */
  readonly named: readonly string[];
}

/** Words and options of one verb, as text. The verb converts them on reading. */
export class Args {
  readonly #input: ArgsInput;

  constructor(input: ArgsInput) {
    this.#input = input;
  }

  /** A word; empty if it is optional and absent. */
  word(name: string): string {
    return this.#input.words[name]?.[0] ?? "";
  }

  /** The same command line with another word. */
  withWord(name: string, word: string): Args {
    return new Args({ ...this.#input, words: { ...this.#input.words, [name]: [word] } });
  }

  /** Every word of a list of words. */
  words(name: string): readonly string[] {
    return this.#input.words[name] ?? [];
  }

  flag(name: string): boolean {
    return lastOf(this.#input.values[name]) === true;
  }

  /** An option's value, or its environment variable's; the last one if it is repeated. */
  text(name: string): string | undefined {
    const given = lastOf(this.#input.values[name]);
    if (given === undefined) return this.#fromEnvironment(name);
    if (typeof given !== "string" || given === "") throw needsValue(name);
    return this.#checkChoice(name, given, `--${name}`);
  }

  /** An option's value as given; it may be empty. */
  raw(name: string): string | undefined {
    const given = lastOf(this.#input.values[name]);
    return typeof given === "string" ? given : undefined;
  }

  /** The values of a repeatable option, as given. */
  all(name: string): readonly string[] {
    const given = this.#input.values[name];
    return given === undefined ? [] : [given].flat().map(String);
  }

  /** Arguments by name: options that the verb lacks. One without a value has no values. */
  named(): readonly { readonly name: string; readonly values: readonly string[] }[] {
    return this.#input.named.map((name) => ({
      name,
      values: [this.#input.values[name]].flat().filter((value) => value !== true).map(String),
    }));
  }

  /** An option's values: repeated, or separated by commas. */
  list(name: string): readonly string[] {
    if (this.#input.values[name] === undefined) return [];
    const given = [this.#input.values[name]].flat();
    if (given.some((value) => typeof value !== "string" || value === "")) throw needsValue(name);
    // A comma within a value, such as a kind, is written "\\,".
    const values = (given as string[]).flatMap((value) => value.split(/(?<!\\),/))
      .map((value) => value.trim().replaceAll("\\,", ",")).filter((value) => value !== "");
    // An empty list would be no condition, and select more than meant.
    if (values.length > 0) {
      return values.map((value) => this.#checkChoice(name, value, `--${name}`));
    }
    throw usageError(`Cannot read option --${name}: the list is empty`, `Write --${name}=VALUE`);
  }

  integer(
    name: string,
    limits: { readonly min: number; readonly max: number },
  ): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseInteger(text, { ...limits, what: `--${name}` });
  }

  /** A duration such as `90s`, in milliseconds. */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      return parseDuration(text);
    } catch {
      throw usageError(
        `Cannot read --${name} "${text}": not a duration`,
        'Write "250ms", "10s", "1h30m" or "7d"',
      );
    }
  }

  /**
   * A point in time, in epoch milliseconds.
   *
   * @param fromMs instant from which the next or the last time of day is counted, by default now
   */
  timeMs(name: string, direction: Direction, fromMs = this.#input.nowMs): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const nowMs = isWallTime(text) ? fromMs : this.#input.nowMs;
    return parseTime(text, { nowMs, direction, what: `--${name}` });
  }

  /** The same line with other values for options that are not given, ignoring their variables. */
  over(values: ArgsInput["values"], names: readonly string[]): Args {
    const { specs, env } = this.#input;
    const hidden = new Set(names.map((name) => specs[name]?.env));
    const left = Object.entries(env).filter(([variable]) => !hidden.has(variable));
    const given = Object.entries(this.#input.values)
      .filter(([, value]) => value !== undefined && value !== false);
    return new Args({
      ...this.#input,
      values: { ...values, ...Object.fromEntries(given) },
      env: Object.fromEntries(left),
    });
  }

  /** The options of `names` that were given on the command line. */
  given(names: readonly string[]): readonly string[] {
    return names.filter((name) =>
      this.#input.values[name] !== undefined && this.#input.values[name] !== false
    );
  }

  #fromEnvironment(name: string): string | undefined {
    const variable = this.#input.specs[name]?.env;
    const value = variable === undefined ? undefined : this.#input.env[variable];
    return value ? this.#checkChoice(name, value, variable!) : undefined;
  }

  #checkChoice(name: string, value: string, what: string): string {
    const choices = this.#input.specs[name]?.choices;
    if (!choices || choices.includes(value)) return value;
    throw usageError(
      `Cannot read ${what} "${value}": not one of ${choices.join(", ")}`,
      didYouMean(value, choices) ??
        (name === "output" && /[./]/.test(value)
          ? this.#input.specs.out === undefined
            ? "This sets the format; to write a file, use > FILE"
            : "This sets the format; name the file with --out FILE"
          : "Choose one of these"),
    );
  }
}

function lastOf(value: unknown): unknown {
  return Array.isArray(value) ? value.at(-1) : value;
}

/** Largest number of a field of 32 bits. */
export const INT32_MAX = 2_147_483_647;

/** An error in the command line. */
export function usageError(message: string, hint: string): JobError {
  return new JobError("invalid_argument", message, { hint });
}

/** The error of an option without its value. */
export function needsValue(name: string): JobError {
  const option = `--${makeVisible(name)}`;
  return usageError(`Cannot read option ${option}: it needs a value`, `Write ${option}=VALUE`);
}

/** A whole number within limits, both included. @throws JobError `invalid_argument` */
export function parseInteger(
  text: string,
  options: { readonly min: number; readonly max: number; readonly what: string },
): number {
  const number = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= options.min && number <= options.max) return number;
  throw usageError(
    `Cannot read ${options.what} "${text}": not a whole number from ${options.min} to ${options.max}`,
    "Write it in digits",
  );
}

/** @throws JobError `invalid_argument` when more than one of `names` was given */
export function assertOneOf(args: Args, names: readonly string[]): void {
  const given = args.given(names);
  if (given.length < 2) return;
  throw usageError(
    `Cannot use --${given[0]} with --${given[1]}: they exclude each other`,
    "Give one of them",
  );
}
