import yargs from "yargs";
import type { Argv } from "yargs";
import { JobError } from "../../core/errors.ts";
import { nearest } from "../../core/text/nearest.ts";
import { usageError } from "./args.ts";
import { CONNECTION_OPTIONS, optionsOf, OUTPUT_OPTIONS } from "./options.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { isGroup } from "../verb.ts";
import type { OptionSpecs, Verb, VerbGroup, WordSpec } from "../verb.ts";
import { VERBS } from "../verbs.ts";

/** The parsed command line. */
export type CommandLine =
  | {
    readonly type: "help";
    readonly text: string;
    readonly isAsked: boolean;
    /** What it would run without the wish for help, when the verb has more to tell of that. */
    readonly topic?: VerbRun;
  }
  | VerbRun;

/** A verb with what it was given. */
export interface VerbRun {
  readonly type: "run";
  readonly verb: Verb;
  /** The verb's words, such as `jobctl list jobs`. */
  readonly title: string;
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly values: Readonly<Record<string, unknown>>;
  readonly specs: OptionSpecs;
  /** Names among the values that are no options of the verb: arguments by name. */
  readonly named: readonly string[];
}

const PROGRAM = "jobctl";
const HELP_WORD = "help";
const HELP_WIDTH_MAX = 100;
const TOP_OPTIONS: OptionSpecs = {
  ...CONNECTION_OPTIONS,
  ...OUTPUT_OPTIONS,
  version: { describe: "Show the version of this program", isFlag: true },
};

type RawArguments = Readonly<Record<string, unknown>> & {
  readonly _: readonly (string | number)[];
};

interface Choice {
  readonly entry: Verb | VerbGroup;
  readonly titles: readonly string[];
  readonly raw: RawArguments;
}

/** How a verb is written: `jobctl schedule KIND [ARGS…]`. */
export function usageOf(titles: readonly string[], verb: Verb): string {
  const words = verb.words.map(({ name, isOptional, isRest }) => {
    const text = isRest ? `${name}…` : name;
    return isOptional ? `[${text}]` : text;
  });
  return [...titles, ...words, "[options]"].join(" ");
}

// Words are ours to check: yargs reads them a second time and takes their quotes away.
function declare(parser: Argv, specs: OptionSpecs, isHidden = false): Argv {
  for (const [name, spec] of Object.entries(specs)) {
    parser.option(name, {
      alias: spec.alias,
      describe: spec.env ? `${spec.describe} [${spec.env}]` : spec.describe,
      hidden: isHidden,
      global: false,
      ...(spec.isFlag ? { type: "boolean" as const } : { type: "string" as const, nargs: 1 }),
    });
  }
  return parser;
}

function declareVerb(parser: Argv, titles: readonly string[], verb: Verb): Argv {
  const words = verb.words.map(({ name, describe }) => `  ${name}  ${describe}`);
  const text = [
    `Usage: ${usageOf(titles, verb)}`,
    `${verb.summary}.`,
    ...(verb.details ? [verb.details] : []),
    ...(words.length > 0 ? [words.join("\n")] : []),
  ];
  parser.usage(text.join("\n\n"));
  declare(parser, optionsOf(verb));
  parser.group([...Object.keys(verb.options), "h"], "Options:");
  if (verb.isClient) parser.group(Object.keys(CONNECTION_OPTIONS), "Connection:");
  parser.group(Object.keys(OUTPUT_OPTIONS), "Output:");
  for (const [line, meaning] of verb.examples) parser.example(line, meaning);
  return parser;
}

function declareGroup(
  parser: Argv,
  group: VerbGroup,
  choose: (choice: Choice) => void,
): Argv {
  const titles = [PROGRAM, group.name];
  parser.usage(`Usage: ${titles.join(" ")} VERB [options]\n\n${group.summary}.`);
  // So that an option before the second word keeps its value and leaves that word alone.
  for (const verb of group.verbs) declare(parser, optionsOf(verb), true);
  for (const verb of group.verbs) {
    const path = [...titles, verb.name];
    parser.command(
      verb.name,
      verb.summary,
      (inner) => declareVerb(inner, path, verb),
      (raw) => choose({ entry: verb, titles: path, raw: raw as RawArguments }),
    );
  }
  return parser;
}

function createParser(columns: number, choose: (choice: Choice) => void): Argv {
  const parser = yargs([])
    .scriptName(PROGRAM)
    .detectLocale(false)
    .locale("en")
    .updateStrings({ "Not enough arguments following: %s": "Cannot read option --%s: no value" })
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "populate--": true,
      "short-option-groups": false,
      "strip-aliased": true,
    })
    // A name of one letter: by a longer one yargs also takes a last argument of that name for a wish for help.
    .help("h", "Show this help; --help does the same")
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(columns, HELP_WIDTH_MAX))
    .fail((message, error) => {
      throw error instanceof JobError ? error : usageError(message, "Write --OPTION=VALUE");
    })
    .usage(`Usage: ${PROGRAM} VERB [options]\n\nRun jobs: on schedules, durably, from one file.`)
    .epilogue(`Help of one verb: ${PROGRAM} VERB --help. Documentation: docs/cli.md`);
  declare(parser, TOP_OPTIONS);
  parser.group(["version", "h"], "Options:");
  parser.group(Object.keys(CONNECTION_OPTIONS), "Connection:");
  parser.group(Object.keys(OUTPUT_OPTIONS), "Output:");
  for (const entry of VERBS) {
    const titles = [PROGRAM, entry.name];
    parser.command(
      entry.name,
      entry.summary,
      (inner) =>
        isGroup(entry) ? declareGroup(inner, entry, choose) : declareVerb(inner, titles, entry),
      (raw) => choose({ entry, titles, raw: raw as RawArguments }),
    );
  }
  return parser;
}

// No argument can hold it, so it can stand before what yargs would not leave as it is.
const SHIELD = "\0";

// yargs takes "-5" for an option and the quotes from a quoted value; a name of one letter for help is explained above.
function shield(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.map((word, index) => {
    if (end !== -1 && index >= end) return word;
    if (word === "--help") return "-h";
    return /^(?:-[\d.]|['"])/.test(word) ? SHIELD + word : word;
  });
}

function unshield(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unshield);
  return typeof value === "string" && value.startsWith(SHIELD) ? value.slice(1) : value;
}

function unshieldAll(raw: RawArguments): RawArguments {
  const entries = Object.entries(raw).map(([name, value]) => [name, unshield(value)]);
  return Object.fromEntries(entries) as RawArguments;
}

/**
 * Read the command line.
 *
 * @throws JobError `invalid_argument` for what it cannot mean
 */
export async function parseCommandLine(
  argv: readonly string[],
  columns: number,
): Promise<CommandLine> {
  if (argv[0] === HELP_WORD) return await parseCommandLine(asHelpOption(argv.slice(1)), columns);
  refuseReserved(argv);
  let choice: Choice | null = null;
  let output = "";
  const parser = createParser(columns, (chosen) => choice = chosen);
  const parsed = await parser.parse(shield(argv), {}, (_error, _argv, text) => {
    output = text;
  }) as RawArguments;
  if (output !== "") {
    const topic = await topicOf(argv, columns);
    return { type: "help", text: `${output}\n`, isAsked: true, ...(topic ? { topic } : {}) };
  }
  if (choice !== null) return readChoice(choice, argv);
  const [word] = unshieldAll(parsed)._;
  if (word === undefined) {
    assertKnownOptions(parsed, TOP_OPTIONS, { title: PROGRAM, argv });
    return { type: "help", text: `${await parser.getHelp()}\n`, isAsked: false };
  }
  throw unknownVerb(String(word), [PROGRAM], VERBS);
}

/** The command line with `--help` that `jobctl help` followed by `words` stands for. */
function asHelpOption(words: readonly string[]): readonly string[] {
  const [name, verb] = words;
  const entry = VERBS.find((candidate) => candidate.name === name);
  // With --help an unknown verb would be answered by the help of them all.
  if (entry === undefined && name !== undefined && !name.startsWith("-")) {
    throw unknownVerb(name, [PROGRAM], VERBS);
  }
  if (entry && isGroup(entry) && verb !== undefined && !verb.startsWith("-")) {
    const isKnown = entry.verbs.some((candidate) => candidate.name === verb);
    if (!isKnown) throw unknownVerb(verb, [PROGRAM, entry.name], entry.verbs);
  }
  const end = words.indexOf("--");
  return [...end < 0 ? words : words.slice(0, end), "--help"];
}

// yargs looks options up in plain objects, where these are found without having been declared.
function refuseReserved(argv: readonly string[]): void {
  const end = argv.indexOf("--");
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const name = /^--?([^=]+)/.exec(word)?.[1];
    if (name === undefined || !(name in Object.prototype)) continue;
    throw usageError(
      `Cannot run "${PROGRAM}" with "${makeVisible(word.split("=", 1)[0]!)}": no such option`,
      `A parameter of this name is given as --arg ${name}=VALUE`,
    );
  }
}

/** What a command line with a wish for help would run without it, when the verb explains that. */
async function topicOf(argv: readonly string[], columns: number): Promise<VerbRun | null> {
  const end = argv.indexOf("--");
  const isHelp = (word: string, index: number) =>
    (end < 0 || index < end) && (word === "-h" || word === "--help");
  const rest = argv.filter((word, index) => !isHelp(word, index));
  if (rest.length === argv.length) return null;
  try {
    const run = await parseCommandLine(rest, columns);
    return run.type === "run" && run.verb.explain !== undefined ? run : null;
  } catch {
    // It is not complete: the verb's own help is all there is to tell.
    return null;
  }
}

function readChoice(choice: Choice, argv: readonly string[]): VerbRun {
  const { entry, titles } = choice;
  const raw = unshieldAll(choice.raw);
  const title = titles.join(" ");
  const rest = raw._.slice(titles.length - 1).map(String);
  if (isGroup(entry)) {
    if (rest.length > 0) throw unknownVerb(rest[0]!, titles, entry.verbs);
    const names = entry.verbs.map(({ name }) => name).join(", ");
    throw usageError(`Cannot run "${title}": it needs one of ${names}`, `See ${title} --help`);
  }
  const specs = optionsOf(entry);
  const named = assertKnownOptions(raw, specs, { title, argv, takesNamed: entry.takesNamed });
  const behind = (raw["--"] ?? []) as readonly (string | number)[];
  const words = readWords([...rest, ...behind.map(String)], entry.words, {
    title,
    usage: usageOf(titles, entry),
  });
  return { type: "run", verb: entry, title, words, values: raw, specs, named };
}

function readWords(
  given: readonly string[],
  specs: readonly WordSpec[],
  at: { readonly title: string; readonly usage: string },
): Record<string, readonly string[]> {
  const words: Record<string, readonly string[]> = {};
  let used = 0;
  for (const { name, isOptional, isRest, canBeEmpty } of specs) {
    const taken = isRest ? given.slice(used) : given.slice(used, used + 1);
    if (taken.length === 0 && !isOptional) {
      throw usageError(`Cannot run "${at.title}": ${name} is missing`, `Usage: ${at.usage}`);
    }
    if (taken.includes("") && !canBeEmpty) {
      throw usageError(
        `Cannot run "${at.title}": ${name} is empty`,
        isOptional ? "Omit it, or give it a value" : `Usage: ${at.usage}`,
      );
    }
    words[name] = taken;
    used += taken.length;
  }
  if (used === given.length) return words;
  throw usageError(
    `Cannot run "${at.title}" with the word "${makeVisible(given[used]!)}": it takes no more words`,
    `Usage: ${at.usage}`,
  );
}

/** The names of `raw` that are arguments by name. @throws JobError `invalid_argument` for options that are neither */
function assertKnownOptions(
  raw: RawArguments,
  specs: OptionSpecs,
  at: { readonly title: string; readonly argv: readonly string[]; readonly takesNamed?: boolean },
): readonly string[] {
  const ours = new Set(["_", "$0", "--", "h", ...Object.keys(specs)]);
  const named: string[] = [];
  for (const name of Object.keys(raw)) {
    if (ours.has(name)) continue;
    const typed = asTyped(name, at.argv);
    if (!at.takesNamed || !typed.startsWith("--")) {
      throw unknownOption(name, typed, specs, at.title);
    }
    named.push(name);
  }
  return named;
}

/** An option as it was typed, since yargs keeps the name alone. */
function asTyped(name: string, argv: readonly string[]): string {
  const typed = argv.find((word) =>
    word.startsWith("-") && word.replace(/^--?/, "").split("=", 1)[0] === name
  );
  return typed?.split("=", 1)[0] ?? `--${name}`;
}

function unknownOption(name: string, typed: string, specs: OptionSpecs, title: string): JobError {
  const near = nearest(name, Object.keys(specs));
  return usageError(
    `Cannot run "${title}" with "${makeVisible(typed)}": no such option`,
    near
      ? `Did you mean "--${near}"?`
      : `See ${title} --help; arguments that begin with "-" come after "--"`,
  );
}

function unknownVerb(
  word: string,
  titles: readonly string[],
  entries: readonly (Verb | VerbGroup)[],
): JobError {
  const names = entries.map(({ name }) => name);
  const near = nearest(word, names);
  return usageError(
    `Cannot run "${[...titles, makeVisible(word)].join(" ")}": no such verb`,
    near ? `Did you mean "${[...titles, near].join(" ")}"?` : `Verbs: ${names.join(", ")}`,
  );
}
