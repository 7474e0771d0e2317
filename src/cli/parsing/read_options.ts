import type { Parser as YargsParser } from "yargs/helpers";
import OwnParser from "yargs-parser";
import type { OptionSpecs } from "./options.ts";

/** A command line, taken apart into options and words. */
export interface GivenLine {
  readonly words: readonly string[];
  readonly rest: readonly string[];
  /** True or text by name, including undeclared options; a list if repeated. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly wantsHelp: boolean;
  /** An option that lacks its value. */
  readonly lacksValue: string | undefined;
}

// The parser of yargs alone: loading the rest of it takes longer than a call to the daemon.
const Parser: typeof YargsParser = OwnParser;

// No argument can contain it.
const SHIELD = "\0";

/** Split a command line by the declared options; others are read by their form. */
export function readOptions(argv: readonly string[], specs: OptionSpecs): GivenLine {
  const names = Object.keys(specs);
  const withValue = names.filter((name) => !specs[name]!.isFlag);
  const withOrWithout = names.filter((name) => specs[name]!.optionalValue);
  const options = {
    boolean: ["h", ...names.filter((name) => specs[name]!.isFlag && !specs[name]!.optionalValue)],
    string: [...withValue, ...withOrWithout],
    narg: Object.fromEntries(withValue.map((name) => [name, 1])),
    // The parser's only error is about an option without its value, and contains only the name.
    __: (_text: string, name: string) => name,
    configuration: {
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "populate--": true,
      "short-option-groups": false,
    },
  };
  const line = withEmptyValues(shield(expandShort(argv, specs)), withOrWithout, specs);
  const { argv: read, error } = Parser.detailed(line, options);
  const { _: words, "--": rest = [], h, ...values } = read;
  return {
    words: words.map((word) => unshield(String(word))),
    rest: rest.map(String),
    values: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(unshield) : unshield(value),
      ]),
    ),
    wantsHelp: [h].flat().includes(true),
    lacksValue: error?.message,
  };
}

/** The parser would take the next word for the optional value of `--watch`. */
function withEmptyValues(
  argv: readonly string[],
  names: readonly string[],
  specs: OptionSpecs,
): string[] {
  const end = endOfOptions(argv);
  return argv.map((word, index) => {
    const name = index >= end
      ? undefined
      : names.find((name) => word === `--${name}` || word === `-${specs[name]!.alias}`);
    return name === undefined ? word : `--${name}=`;
  });
}

/**
 * Short options by their long names: `-ojson` as `--output=json`, `-qf` as `--quiet --follow`. The
 * parser's own aliases would also take `--x`, an argument by name, for `-x`.
 */
function expandShort(argv: readonly string[], specs: OptionSpecs): string[] {
  const byLetter = new Map(
    Object.entries(specs).flatMap(([name, spec]) =>
      spec.alias === undefined ? [] : [[spec.alias, { name, spec }] as const]
    ),
  );
  const end = endOfOptions(argv);
  return argv.flatMap((word, index) => {
    const [, letter, joint, rest] = /^-([A-Za-z])(=?)(.*)$/s.exec(word) ?? [];
    const option = letter === undefined ? undefined : byLetter.get(letter);
    // "-output" is read as "--output".
    if (option === undefined || index >= end || Object.hasOwn(specs, word.slice(1))) return [word];
    const long = `--${option.name}`;
    if (joint === "=") return [`${long}=${rest}`];
    if (rest === "") return [long];
    const { isFlag, optionalValue } = option.spec;
    if (!isFlag || (optionalValue && /^\d/.test(rest!))) return [`${long}=${rest}`];
    const others = [...rest!].map((each) => byLetter.get(each));
    if (others.some((other) => !other?.spec.isFlag)) return [word];
    return [long, ...others.map((other) => `--${other!.name}`)];
  });
}

/** The parser would read "-5" as an option. */
function shield(argv: readonly string[]): string[] {
  const end = endOfOptions(argv);
  return argv.map((word, index) => {
    if (index >= end) return word;
    if (word === "--help") return "-h";
    return /^-[\d.]/.test(word) ? SHIELD + word : word;
  });
}

function unshield<T>(value: T): T {
  return typeof value === "string" && value.startsWith(SHIELD) ? value.slice(1) as T : value;
}

/** Position of the words after `--`. */
export function endOfOptions(argv: readonly string[]): number {
  const end = argv.indexOf("--");
  return end < 0 ? argv.length : end;
}
