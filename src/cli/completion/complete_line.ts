import {
  CONNECTION_OPTIONS,
  type Offer,
  type OptionSpec,
  type OptionSpecs,
  PROGRAM_OPTIONS,
} from "../parsing/options.ts";
import {
  isGroup,
  optionsAt,
  optionsOf,
  type Verb,
  type VerbEntry,
  type VerbGroup,
} from "../verb/verb.ts";
import { loadVerb, VERB_NAMES } from "../verbs.ts";

/** A word that a shell offers, and its description. */
export interface OfferedName {
  readonly name: string;
  readonly describe: string;
}

/** Possible words at the end of a line. */
export interface LineAnswer {
  /** Fixed words. */
  readonly choices: readonly OfferedName[];
  /** Another source of words; null without one. */
  readonly offer: Offer | null;
  /** `--name=` if the last word is `--name=value`. */
  readonly head: string;
  /** The rest of the last word: the beginning of a name. */
  readonly prefix: string;
  /** The first word after the verb. */
  readonly kind: string;
  /** The parameter by its name, or the argument by its position. */
  readonly which: string;
  /** Options of the connection, as `--host=web1`; null if one needs the shell to expand it. */
  readonly connection: readonly string[] | null;
}

/** The line before its last word. */
interface Line {
  /** Null if a word is not a verb. */
  readonly entry: VerbEntry | null;
  readonly first: string;
  /** Number of words after the verb. */
  readonly count: number;
  /** Number of words after `--`; null without it. */
  readonly afterDashes: number | null;
  /** The option whose value comes next; null for none. */
  readonly pending: string | null;
  readonly connection: readonly string[] | null;
}

/** Stands for the program until a verb is known. Its verbs are loaded by name. */
const PROGRAM: VerbGroup<Verb | VerbGroup> = { name: "", summary: "", verbs: [] };
const HELP: OptionSpec = { describe: "Show the help", isFlag: true };

/**
 * Complete the last word of a line. Loads only the verb on the line: a user waits at a prompt.
 *
 * @param words of the whole line; the first one is the program
 * @param unclear positions of words that only the shell could expand
 */
export async function completeLine(
  words: readonly string[],
  unclear: ReadonlySet<number> = new Set(),
): Promise<LineAnswer> {
  const { entry, ...line } = await readBefore(words.slice(0, -1), unclear);
  const last = words.at(-1) ?? "";
  const { first: kind, afterDashes, connection } = line;
  const nothing = { choices: [], offer: null, head: "", prefix: last, kind, which: "", connection };
  if (entry === null) return nothing;
  if (line.pending !== null && !isLoose(line.pending, entry, last)) {
    return { ...nothing, ...valueOf(line.pending, entry) };
  }
  if (afterDashes !== null) return { ...nothing, ...wordAt(entry, line, last) };
  const head = /^--[^=]+=/.exec(last)?.[0];
  if (head !== undefined) {
    const prefix = last.slice(head.length);
    return { ...nothing, ...valueOf(head.slice(0, -1), entry), head, prefix };
  }
  if (last.startsWith("-")) {
    const offer = takesNamed(entry) && kind !== "" ? "parameter" : null;
    return { ...nothing, choices: listedOptions(entry), offer };
  }
  if (!isGroup(entry)) return { ...nothing, ...wordAt(entry, line, last) };
  const offer = entry.otherwise?.words?.[0]?.offers ?? null;
  return { ...nothing, choices: await verbsAt(entry, last), offer };
}

async function readBefore(words: readonly string[], unclear: ReadonlySet<number>): Promise<Line> {
  let first = "";
  let count = 0;
  let entry: VerbEntry | null = PROGRAM;
  let pending: string | null = null;
  let afterDashes: number | null = null;
  const connection: string[] = [];
  let isClear = true;
  for (const [index, given] of words.entries()) {
    if (index === 0) continue;
    if (pending !== null && isLoose(pending, entry, given)) pending = null;
    const isValue: boolean = pending !== null;
    const word: string = isValue ? `${pending}=${given}` : given;
    pending = null;
    if (!isValue && afterDashes !== null) {
      afterDashes += 1;
      count += 1;
    } else if (!isValue && word === "--") {
      afterDashes = 0;
    } else if (!isValue && takesValue(word, entry)) {
      pending = word;
    } else if (word.startsWith("-")) {
      if (optionNamed(word.split("=", 1)[0]!, CONNECTION_OPTIONS) === undefined) continue;
      connection.push(word);
      isClear &&= !unclear.has(index);
    } else if (!isGroup(entry)) {
      first ||= word;
      count += 1;
    } else if (word !== "help" || index > 1) {
      entry = await verbNamed(word, entry);
      if (entry === null) break;
    }
  }
  return { entry, first, count, afterDashes, pending, connection: isClear ? connection : null };
}

async function verbNamed(
  word: string,
  group: VerbGroup<Verb | VerbGroup>,
): Promise<VerbEntry | null> {
  if (group === PROGRAM) return await loadVerb(word);
  return group.verbs.find(({ name }) => name === word) ?? null;
}

/** The verbs of a group. The program offers only matching verbs, or all if none match. */
async function verbsAt(
  group: VerbGroup<Verb | VerbGroup>,
  begun: string,
): Promise<OfferedName[]> {
  const found = VERB_NAMES.filter((name) => name.startsWith(begun));
  const verbs = group === PROGRAM
    ? await Promise.all((found.length > 0 ? found : VERB_NAMES).map(loadVerb))
    : group.verbs;
  return verbs.map((verb) => ({ name: verb!.name, describe: verb!.summary }));
}

/** True for an option whose value is the next word; also for a parameter of a job. */
function takesValue(word: string, entry: VerbEntry): boolean {
  const spec = optionNamed(word, knownAt(entry));
  if (spec !== undefined) return !spec.isFlag;
  // Options of a verb may come before it.
  return (takesNamed(entry) || entry === PROGRAM) && /^--[^=]+$/.test(word);
}

/** True if a parameter has no value, because another option follows. */
function isLoose(pending: string, entry: VerbEntry, word: string): boolean {
  return word.startsWith("-") && optionNamed(pending, knownAt(entry)) === undefined;
}

/** The answer for the value of an option, or of a parameter of a job. */
function valueOf(option: string, entry: VerbEntry): Partial<LineAnswer> {
  const spec = optionNamed(option, knownAt(entry));
  if (spec !== undefined) return offered(spec);
  return takesNamed(entry) ? { offer: "value", which: option.slice(2) } : {};
}

function wordAt(entry: VerbEntry, line: Omit<Line, "entry">, last: string): Partial<LineAnswer> {
  const { count, afterDashes } = line;
  const words = (isGroup(entry) ? entry.otherwise?.words : entry.words) ?? [];
  const word = words[count] ?? words.findLast(({ isRest }) => isRest);
  if (word === undefined || (word.isBeforeDashes && afterDashes !== null)) return {};
  const answer = offered(word);
  if (answer.offer === "argument") return { ...answer, which: String(count - 1) };
  // A program, then its arguments.
  const isArgument = afterDashes !== 0 || last.includes("/");
  return answer.offer === "command" && isArgument ? { ...answer, offer: "file" } : answer;
}

function offered(
  { offers, suggests, choices }: Pick<OptionSpec, "offers" | "suggests" | "choices">,
): Pick<LineAnswer, "choices" | "offer"> {
  const names = choices ?? suggests ?? [];
  return { choices: names.map((name) => ({ name, describe: "" })), offer: offers ?? null };
}

function takesNamed(entry: VerbEntry): boolean {
  return !isGroup(entry) && entry.takesNamed === true;
}

/** The options that are read at a place of the line. */
function knownAt(entry: VerbEntry): OptionSpecs {
  return { ...entry === PROGRAM ? PROGRAM_OPTIONS : optionsAt(entry), help: HELP };
}

/** The options to offer at a place of the line. A group offers no options of its verbs. */
function listedOptions(entry: VerbEntry): OfferedName[] {
  const { version: _, ...shared } = PROGRAM_OPTIONS;
  const options = entry === PROGRAM
    ? PROGRAM_OPTIONS
    : isGroup(entry)
    ? shared
    : { ...entry.options, ...optionsOf(entry) };
  return Object.entries({ ...options, help: HELP }).flatMap(([name, { alias, describe }]) => [
    { name: `--${name}`, describe },
    ...alias === undefined ? [] : [{ name: `-${alias}`, describe }],
  ]);
}

/** The option that a word names, with its dashes. */
function optionNamed(word: string, options: OptionSpecs): OptionSpec | undefined {
  if (!word.startsWith("--")) return Object.values(options).find((one) => word === `-${one.alias}`);
  const name = word.slice(2);
  return Object.hasOwn(options, name) ? options[name] : undefined;
}
