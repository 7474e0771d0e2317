import { JobError } from "../core/errors.ts";
import { nearest } from "../core/text/nearest.ts";
import { makeVisible } from "../core/text/safe_text.ts";
import { shellWord } from "../core/text/shell_word.ts";
import {
  isGroup,
  optionsAt,
  optionsOf,
  usageOf,
  type Verb,
  type VerbEntry,
  type VerbGroup,
} from "./verb/verb.ts";
import { verbsFor } from "./verbs.ts";
import { HELP_TOPICS } from "./verb_groups.ts";
import { usageError } from "./parsing/args.ts";
import { adviceFor, guessVerb, optionHint, restText, type UnknownWord } from "./parsing/guesses.ts";
import { type OptionSpecs, optionText, PROGRAM_OPTIONS, WATCH_OPTIONS } from "./parsing/options.ts";
import { endOfOptions, type GivenLine, readOptions } from "./parsing/read_options.ts";
import { extraWordHint, missingWordHint } from "./word_hints.ts";

// The grammar. Options may be anywhere before "--":
//
//   jobctl VERB [WORD…] [-- WORD…]
//   jobctl GROUP VERB [WORD…] [-- WORD…]
//   jobctl help [VERB | GROUP [VERB]]       the same as --help after them
//   jobctl help TOPIC

/** The parsed command line. */
export type CommandLine = HelpText | VerbRun;

/** A help text to print. */
export interface HelpText {
  readonly type: "help";
  readonly text: string;
  /** False if the text is shown because no verb was given. */
  readonly isAsked: boolean;
  /** The run that the requested help is about, if its verb can explain it further. */
  readonly topic?: VerbRun;
}

/** A verb with its words and options. */
export interface VerbRun {
  readonly type: "run";
  readonly verb: Verb;
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly values: Readonly<Record<string, unknown>>;
  /** Names among the values that are not options of the verb: arguments by name. */
  readonly named: readonly string[];
}

/** A verb or a group, with the words that lead to it. */
interface Place {
  readonly titles: readonly string[];
  readonly entry: VerbEntry;
}

const PROGRAM = { name: "jobctl", summary: "Run jobs: on schedules, durably, from one file" };
/** Known before the verb is: `--watch` without a value must not take the verb for one. */
const BEFORE_VERB: OptionSpecs = { ...PROGRAM_OPTIONS, ...WATCH_OPTIONS };
/** Verbs of the program that are nouns. */
const NOUNS = ["logs", "incidents", "notices", "sessions", "workers", "token"];
const HELP_WORD = "help";
/** With more verbs than this, only the help lists them. */
const NAMES_SHOWN_MAX = 12;

/**
 * Read the command line.
 *
 * @param columns width of the terminal, for help texts
 * @throws JobError `invalid_argument` if it is invalid
 */
export async function parseCommandLine(
  argv: readonly string[],
  columns: number,
): Promise<CommandLine> {
  const isHelp = argv[0] === HELP_WORD;
  const about = isHelp && argv.length === 2 ? await topicOfHelp(argv[1]!, columns) : null;
  if (about !== null) return { type: "help", text: about, isAsked: true };
  const program = await programFor(isHelp ? argv.slice(1) : argv);
  const line = isHelp ? asHelpOption(argv.slice(1), program) : argv;
  refuseReserved(line);
  const { place, given } = findVerb(line, program);
  const [word, ...next] = isGroup(place.entry) ? given.words.slice(place.titles.length - 1) : [];
  const rest = word === undefined ? [] : line.slice(line.indexOf(word) + 1);
  if (given.wantsHelp) {
    if (word !== undefined) throw unknownVerb({ word, next }, place);
    const topic = topicOf(place, line);
    return { type: "help", text: await helpOf(place, columns), isAsked: true, ...topic };
  }
  if (given.lacksValue !== undefined) throw lacksValue(given.lacksValue, place);
  if (!isGroup(place.entry)) return readRun(place.titles, place.entry, given, line);
  if (word !== undefined) throw unknownVerb({ word, next, rest }, place);
  if (!isProgram(place)) throw missingVerb(place, Object.keys(given.values));
  checkOptions(given, PROGRAM_OPTIONS, { title: PROGRAM.name, argv: line });
  return { type: "help", text: await helpOf(place, columns), isAsked: false };
}

/** The verb of a command line, even if the rest is invalid; null without one. */
export async function verbOf(argv: readonly string[]): Promise<Verb | null> {
  const { entry } = findVerb(argv, await programFor(argv)).place;
  return isGroup(entry) ? null : entry;
}

/** The program with the verb that a line names; by default with all verbs. */
async function programFor(argv: readonly string[]): Promise<Place> {
  const verbs = await verbsFor(readOptions(argv, BEFORE_VERB).words[0]);
  return { titles: [PROGRAM.name], entry: { ...PROGRAM, verbs } };
}

function isProgram({ titles }: Place): boolean {
  return titles.length === 1;
}

/** Follow the words to a verb. Each time the line is read anew, by the options known there. */
function findVerb(
  argv: readonly string[],
  program: Place,
): { readonly place: Place; readonly given: GivenLine } {
  let place = program;
  for (;;) {
    const { titles, entry } = place;
    const given = readOptions(argv, isProgram(place) ? BEFORE_VERB : optionsAt(entry));
    const next = isGroup(entry) ? nextVerb(entry, given, titles.length - 1) : undefined;
    if (next === undefined) return { place, given };
    // The word is not a verb's name, but its first argument.
    const isOther = isGroup(entry) && next === entry.otherwise;
    place = { titles: isOther ? titles : [...titles, next.name], entry: next };
  }
}

/** The verb that a word at a position names, or that its group implies. */
function nextVerb(
  group: VerbGroup<Verb | VerbGroup>,
  { words, rest, wantsHelp }: GivenLine,
  at: number,
): VerbEntry | undefined {
  const word = words[at];
  if (word === undefined) return wantsHelp ? undefined : group.initial;
  const isAlone = words.length === at + 1 && rest.length === 0;
  return verbNamed(group, word) ?? (isAlone ? group.otherwise : undefined);
}

/** The verb with a name. A noun is read in the singular and in the plural. */
function verbNamed(entry: VerbEntry, name: string): VerbEntry | undefined {
  if (!isGroup(entry)) return undefined;
  const { verbs } = entry;
  // Other verbs are not nouns: "runs" must not run anything.
  const isTop = entry.name === PROGRAM.name;
  const nouns = isTop ? verbs.filter((verb) => NOUNS.includes(verb.name)) : verbs;
  return verbs.find((verb) => verb.name === name) ??
    nouns.find((verb) => verb.name === `${name}s` || `${verb.name}s` === name);
}

// Loaded only on request.
async function helpOf({ titles, entry }: Place, columns: number): Promise<string> {
  return (await import("./help.ts")).helpOf(titles, entry, columns);
}

/** The text of `jobctl help TOPIC`; null without this topic. */
async function topicOfHelp(topic: string, columns: number): Promise<string | null> {
  if (!Object.hasOwn(HELP_TOPICS, topic)) return null;
  return await (await import("./help.ts")).topicHelp(topic, columns);
}

/** The command line with `--help` that `jobctl help` followed by `words` means. */
function asHelpOption(words: readonly string[], program: Place): readonly string[] {
  let place = program;
  // With --help an unknown verb would show the help of its group.
  for (const word of words) {
    if (!isGroup(place.entry) || word.startsWith("-")) break;
    const entry = verbNamed(place.entry, word);
    const topics = isProgram(place) ? Object.keys(HELP_TOPICS) : [];
    if (entry === undefined) throw unknownVerb({ word }, place, topics);
    place = { titles: [...place.titles, entry.name], entry };
  }
  return [...words.slice(0, endOfOptions(words)), "--help"];
}

/** Names that every object inherits would be found among the options without being declared. */
function refuseReserved(argv: readonly string[]): void {
  for (const word of argv.slice(0, endOfOptions(argv))) {
    const name = /^--?([^=]+)/.exec(word)?.[1];
    if (name === undefined || !(name in Object.prototype)) continue;
    throw usageError(
      `Cannot run "${PROGRAM.name}" with "${makeVisible(word.split("=", 1)[0]!)}": no such option`,
      `A parameter of this name is given as --arg ${name}=VALUE`,
    );
  }
}

/** The run without the request for help, if it is complete and its verb can explain it. */
function topicOf({ titles, entry }: Place, argv: readonly string[]): Pick<HelpText, "topic"> {
  if (isGroup(entry) || entry.explain === undefined) return {};
  const end = endOfOptions(argv);
  const rest = argv.filter((word, at) => at >= end || (word !== "-h" && word !== "--help"));
  try {
    const given = readOptions(rest, optionsOf(entry));
    return given.lacksValue === undefined ? { topic: readRun(titles, entry, given, rest) } : {};
  } catch {
    // It is incomplete: only the verb's help can be shown.
    return {};
  }
}

function readRun(
  titles: readonly string[],
  verb: Verb,
  given: GivenLine,
  argv: readonly string[],
): VerbRun {
  const title = titles.join(" ");
  const { takesNamed } = verb;
  const named = checkOptions(given, optionsOf(verb), { title, argv, takesNamed });
  const words = readWords(given, verb, titles);
  return { type: "run", verb, words, values: given.values, named };
}

function readWords(
  { words: all, rest, values }: GivenLine,
  verb: Verb,
  titles: readonly string[],
): Record<string, readonly string[]> {
  const title = titles.join(" ");
  const before = all.slice(titles.length - 1);
  const usage = `Usage: ${usageOf(titles, verb)}`;
  const words: Record<string, readonly string[]> = {};
  const given = [...before, ...rest];
  let used = 0;
  for (const word of verb.words ?? []) {
    const { name, isRest, isBeforeDashes, canBeEmpty, isOptionalWith: other } = word;
    const isOptional = word.isOptional || (other !== undefined && values[other] !== undefined);
    const end = isRest ? given.length : used + 1;
    const taken = given.slice(used, isBeforeDashes ? Math.min(end, before.length) : end);
    if (taken.length === 0 && !isOptional) {
      throw usageError(
        `Cannot run "${title}": ${name} is missing`,
        missingWordHint(word, values, verb, title) ?? usage,
      );
    }
    if (taken.includes("") && !canBeEmpty) {
      throw usageError(
        `Cannot run "${title}": ${name} is empty`,
        isOptional ? "Omit it, or give it a value" : usage,
      );
    }
    words[name] = taken;
    used += taken.length;
  }
  if (used === given.length) return words;
  const extra = makeVisible(given[used]!);
  throw usageError(
    `Cannot run "${title}" with the word "${extra}": it takes no more words`,
    extraWordHint(verb, { title, values, given, used }) ?? usage,
  );
}

/**
 * The names of options that are arguments by name.
 *
 * @throws JobError `invalid_argument` for an option that is neither
 */
function checkOptions(
  { values }: GivenLine,
  specs: OptionSpecs,
  at: { readonly title: string; readonly argv: readonly string[]; readonly takesNamed?: boolean },
): readonly string[] {
  const named = Object.keys(values).filter((name) => !Object.hasOwn(specs, name));
  for (const name of named) {
    const word = wordOf(name, at.argv);
    if (at.takesNamed && word.startsWith("--")) continue;
    const typed = word.split("=", 1)[0]!;
    throw usageError(
      `Cannot run "${at.title}" with "${makeVisible(typed)}": no such option`,
      valueHint(word, at.argv, specs) ?? optionHint(name, Object.keys(specs), ["help"]) ??
        `See ${at.title} --help; arguments that begin with "-" come after "--"`,
    );
  }
  return named;
}

/** The way to give `-x` as the value of the argument by name before it; undefined if impossible. */
function valueHint(word: string, argv: readonly string[], specs: OptionSpecs): string | undefined {
  const [, name] = /^--([^=]+)$/.exec(argv[argv.indexOf(word) - 1] ?? "") ?? [];
  if (name === undefined || Object.hasOwn(specs, name)) return undefined;
  return `For the value of --${makeVisible(name)} write ${
    makeVisible(shellWord(`--${name}=${word}`))
  }; other arguments that begin with "-" come after "--"`;
}

/** The word of the command line that gives an option. */
function wordOf(name: string, argv: readonly string[]): string {
  const word = argv.find((each) =>
    each.startsWith("-") && each.replace(/^--?/, "").split("=", 1)[0] === name
  );
  return word ?? `--${name}`;
}

/** @param options names of options that were given without a verb */
function missingVerb({ titles, entry }: Place, options: readonly string[]): JobError {
  const title = titles.join(" ");
  const names = namesIn(entry);
  const [guess] = options.flatMap((word) => guessVerb({ group: entry.name, names, word }) ?? []);
  return usageError(
    `Cannot run "${title}": it needs one of ${names.join(", ")}`,
    guess === undefined ? `See ${title} --help` : `Did you mean "${PROGRAM.name} ${guess}"?`,
  );
}

/** @param topics names that `jobctl help` knows, for a request for help */
function unknownVerb(
  { word, next = [], rest = [] }: Pick<UnknownWord, "word" | "next" | "rest">,
  place: Place,
  topics: readonly string[] = [],
): JobError {
  const names = namesIn(place.entry);
  const title = place.titles.join(" ");
  const group = isProgram(place) ? "" : place.entry.name;
  const guess = guessVerb({ group, names, word, next, rest });
  const near = nearest(word, [...names, ...isProgram(place) ? [HELP_WORD] : [], ...topics]);
  const meant = near !== null && topics.includes(near) ? `${title} ${HELP_WORD}` : title;
  const all = names.length > NAMES_SHOWN_MAX
    ? `${title} --help lists the verbs`
    : `Verbs: ${names.join(", ")}`;
  const hint = guess !== undefined
    ? `${PROGRAM.name} ${guess}`
    : near !== null
    ? `${meant} ${near}${restText(rest)}`
    : undefined;
  return usageError(
    `Cannot run "${title} ${makeVisible(word)}": no such verb`,
    adviceFor(group, word) ?? (hint === undefined ? all : `Did you mean "${hint}"?`),
  );
}

function lacksValue(name: string, place: Place): JobError {
  const spec = (isProgram(place) ? PROGRAM_OPTIONS : optionsAt(place.entry))[name];
  const text = spec === undefined ? `--${name}` : optionText(name, spec);
  return usageError(`Cannot read option --${name}: it needs a value`, `Write ${text}`);
}

function namesIn(entry: VerbEntry): readonly string[] {
  return isGroup(entry) ? entry.verbs.map(({ name }) => name) : [];
}
