import { makeVisible } from "../core/text/safe_text.ts";
import { shellWord } from "../core/text/shell_word.ts";
import { optionsOf, type Verb } from "./verb/verb.ts";
import type { WordSpec } from "./parsing/options.ts";
import type { GivenLine } from "./parsing/read_options.ts";
import { isTime } from "./parsing/time.ts";

// Hints about extra and missing words.

/** The words of a command line whose verb takes only the first ones. */
interface ExtraWords {
  /** The program and the verb. */
  readonly title: string;
  readonly values: GivenLine["values"];
  /** All words after the verb. */
  readonly given: readonly string[];
  /** Number of words that the verb takes. */
  readonly used: number;
}

/** A time without an option means the verb's first one of these options. */
const TIME_OPTION_NAMES = ["at", "since", "after", "from", "until"];

/** The likely meaning of an extra word; undefined if unknown. */
export function extraWordHint(verb: Verb, line: ExtraWords): string | undefined {
  const { title, values, given, used } = line;
  const extra = makeVisible(given[used]!);
  return joinedHint(verb, values, extra) ?? configHint(verb, title, extra) ??
    stopHint(verb, extra) ?? timeHint(verb, line) ??
    dashesHint(verb, title, given.slice(used - 1)) ?? kindHint(verb, line);
}

/** A user who types `jobctl stop backup` means the job. */
function stopHint({ name }: Verb, word: string): string | undefined {
  if (name !== "stop") return undefined;
  const kind = shellWord(word);
  return `This stops the daemon. To end a run: jobctl cancel last:${kind}. To start no more runs: jobctl pause ${kind}`;
}

/** The form of a time in words, or without its option: `pause backup until monday 8:00`. */
function timeHint(verb: Verb, { title, values, given, used }: ExtraWords): string | undefined {
  const own = verb.options ?? {};
  const names = Object.keys(own).filter((name) => own[name]!.value === "TIME");
  const extra = given.slice(used);
  const line = [title, ...given.slice(0, used).map(shown)].join(" ");
  for (const name of names) {
    const time = longestTime([String(values[name] ?? ""), ...extra].filter((word) => word !== ""));
    if (values[name] !== undefined && time !== undefined) {
      return `Put the time in quotes: --${name} ${shown(time)}`;
    }
  }
  const word = used > 0 ? longestTime(given.slice(used - 1)) : undefined;
  if (word !== undefined && word !== given[used - 1]) {
    return `Put the time in quotes: ${shown(word)}`;
  }
  const isNamed = names.includes(extra[0]!);
  const name = isNamed ? extra[0] : TIME_OPTION_NAMES.find((each) => names.includes(each));
  const time = longestTime(isNamed ? extra.slice(1) : extra);
  if (name === undefined || time === undefined) return undefined;
  return `Did you mean "${line} --${name} ${shown(time)}"?`;
}

/** The longest run of first words that forms a time; undefined without one. */
function longestTime(words: readonly string[]): string | undefined {
  return words.map((_, index) => words.slice(0, words.length - index).join(" ")).find(isTime);
}

/** The form for one kind of a list: `list dead backup`. */
function kindHint(verb: Verb, { title, given, used }: ExtraWords): string | undefined {
  const { kind } = verb.options ?? {};
  if (used > 0 || kind?.offers !== "kinds" || given.length !== 1) return undefined;
  return `Did you mean "${title} --kind ${shown(given[0]!)}"?`;
}

function shown(word: string): string {
  return makeVisible(shellWord(word));
}

/** The form of an option whose value must be in the same word: `--watch=5s`. */
function joinedHint(verb: Verb, values: GivenLine["values"], word: string): string | undefined {
  const [name] =
    Object.entries(optionsOf(verb)).find(([name, { optionalValue }]) =>
      optionalValue !== undefined && values[name] === ""
    ) ?? [];
  return name === undefined ? undefined : `Did you mean --${name}=${shellWord(word)}?`;
}

/** The form of a configuration for a verb that takes it as an option. */
function configHint(verb: Verb, title: string, word: string): string | undefined {
  if (!word.endsWith(".toml") || !Object.hasOwn(optionsOf(verb), "config")) return undefined;
  return `Did you mean "${title} --config ${shellWord(word)}"?`;
}

/** The form of an option whose dashes are missing: `docs search memory`. */
function dashesHint(
  verb: Verb,
  title: string,
  [name = "", value = ""]: readonly string[],
): string | undefined {
  const own = verb.options ?? {};
  if (!Object.hasOwn(own, name) || own[name]!.value === undefined) return undefined;
  return `Did you mean "${title} --${name} ${shellWord(makeVisible(value))}"?`;
}

/**
 * The command line with the word that its options require: `jobctl cancel instances --kind X`. Only
 * with options of the verb: connection options may be secret.
 */
export function missingWordHint(
  { suggests = [] }: WordSpec,
  values: GivenLine["values"],
  verb: Verb,
  title: string,
): string | undefined {
  // "jobctl retry --kind import" means its dead letters.
  if (verb.name === "retry" && typeof values.kind === "string") {
    return `Did you mean "jobctl redrive --kind ${shown(values.kind)}"?`;
  }
  const given = Object.keys(verb.options ?? {}).flatMap((name) =>
    [values[name] ?? []].flat().filter((value) => value !== false).map((value) =>
      value === true ? `--${name}` : `--${name} ${shellWord(makeVisible(String(value)))}`
    )
  );
  const [word, other] = suggests;
  if (other !== undefined) return `Give one of ${suggests.join(", ")}`;
  if (word === undefined || given.length === 0) return undefined;
  return `Did you mean "${title} ${word} ${given.join(" ")}"?`;
}
