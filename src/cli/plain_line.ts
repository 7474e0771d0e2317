import { isGroup, optionsOf, type Verb } from "./verb/verb.ts";
import { loadVerb } from "./verbs.ts";
import type { VerbRun } from "./parse.ts";

/** Words that are certainly not an option, a flag's value, or quoted. */
const PLAIN_WORD = /^(?!true$|false$)[\w./:~@]/;
/** Values, including numbers and times before now: `-2h`. */
const PLAIN_VALUE = /^(?:[\w./:~@]|-[\d.])/;

/**
 * Read a plain command line: first the verb, then words and options of the verb, each option given
 * once, with values that cannot be misread. Loading and running the full parser takes a tenth of
 * the time of a short verb, and a daemon would keep it in its memory.
 *
 * @param argv the line after the program's name
 * @returns null if the full parser has to read it
 */
export async function readPlainLine(argv: readonly string[]): Promise<VerbRun | null> {
  let entry = argv[0] === undefined ? null : await loadVerb(argv[0]);
  let at = 1;
  while (entry !== null && isGroup(entry)) {
    const name = argv[at] ?? "-";
    if (!name.startsWith("-")) at += 1;
    entry = (name.startsWith("-") ? entry.initial : entry.verbs.find((verb) =>
      verb.name === name
    )) ?? null;
  }
  return entry === null ? null : readVerbLine(entry, argv.slice(at));
}

function readVerbLine(verb: Verb, argv: readonly string[]): VerbRun | null {
  const specs = optionsOf(verb);
  const values: Record<string, string | true> = {};
  const given: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (!word.startsWith("-")) {
      if (!PLAIN_WORD.test(word)) return null;
      given.push(word);
      continue;
    }
    const [, dashes, name, joined] = /^(--?)([a-z][a-z-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) return null;
    const option = Object.keys(specs).find((each) =>
      dashes === "--" ? each === name : specs[each]!.alias === name
    );
    if (option === undefined || option in values) return null;
    // A value joined to a single letter is ambiguous.
    if (dashes === "-" && joined !== undefined) return null;
    const { isFlag, optionalValue } = specs[option]!;
    if (optionalValue !== undefined) return null;
    if (isFlag) {
      if (joined !== undefined) return null;
      values[option] = true;
      continue;
    }
    const value = joined ?? argv[++index];
    if (value === undefined || !PLAIN_VALUE.test(value)) return null;
    values[option] = value;
  }
  const words = wordsOf(verb, given, values);
  return words === null ? null : { type: "run", verb, words, values, named: [] };
}

/** The words of a line by their names; null for too few or too many. */
function wordsOf(
  { words = [] }: Verb,
  given: readonly string[],
  values: Readonly<Record<string, unknown>>,
): VerbRun["words"] | null {
  const found: Record<string, readonly string[]> = {};
  let used = 0;
  for (const { name, isRest, isOptional, isOptionalWith: other } of words) {
    const taken = given.slice(used, isRest ? given.length : used + 1);
    const canLack = isOptional || (other !== undefined && values[other] !== undefined);
    if (taken.length === 0 && !canLack) return null;
    found[name] = taken;
    used += taken.length;
  }
  return used === given.length ? found : null;
}
