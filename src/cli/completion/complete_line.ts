import type { Offer } from "../parsing/options.ts";
import { loadVerbs } from "../verbs.ts";
import { type Answer, type Choice, type LineTable, lineTable, type Place } from "./line_table.ts";

/** What can come at the end of a line. */
export interface LineAnswer {
  /** Fixed words. */
  readonly choices: readonly Choice[];
  /** What else is offered; null for nothing. */
  readonly offer: Offer | null;
  /** The beginning of the last word, without `--name=` before a value. */
  readonly prefix: string;
  /** The first word after the verb. */
  readonly kind: string;
  /** The parameter by its name, or the argument by its position. */
  readonly which: string;
  /** Options of the connection: `--host=web1`. */
  readonly connection: readonly string[];
}

/** Most words of a line. */
const WORDS_MAX = 1_000;

/** The words of a line as a shell sends them: a JSON array. Empty if it is not one. */
export function readWords(text: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(text);
    const isList = Array.isArray(words) && words.length <= WORDS_MAX &&
      words.every((word) => typeof word === "string");
    return isList ? words : [];
  } catch {
    return [];
  }
}

/**
 * What can come in place of the last word of a line, whose first one is the program. The scripts of
 * bash, zsh and fish do the same by themselves.
 */
export async function completeLine(words: readonly string[]): Promise<LineAnswer> {
  const table = lineTable(await loadVerbs());
  const line = readBefore(words.slice(1, -1), table);
  const last = words.at(-1) ?? "";
  const base = { kind: line.first, connection: line.connection, which: "" };
  if (line.place === null) return { ...base, choices: [], offer: null, prefix: last };
  const { place, isAfterDashes } = line;
  const pending = isLoose(line.pending, last, table) ? null : line.pending;
  const [, option, joined] = !isAfterDashes && pending === null
    ? /^(--[^=]+)=(.*)$/s.exec(last) ?? []
    : [];
  const name = pending ?? option;
  if (name !== undefined) {
    const answer = valueAnswer(name, place, table);
    const prefix = joined ?? last;
    const isParameter = answer === null && place.takesNamed;
    return {
      ...{ ...base, choices: wordsOf(answer), prefix },
      offer: isParameter ? "value" : answer?.offer ?? null,
      which: isParameter ? name.slice(2) : "",
    };
  }
  const rest = { ...base, prefix: last };
  if (!isAfterDashes && last.startsWith("-")) {
    const shared = place.shared.flatMap((group) => table.shared[group]);
    const offer = place.takesNamed && line.first !== "" ? "parameter" as const : null;
    return { ...rest, choices: [...place.options, ...shared], offer };
  }
  if (!isAfterDashes && place.verbs.length > 0) {
    return { ...rest, choices: place.verbs, offer: place.words[0]?.offer ?? null };
  }
  const answer = wordAt(place, line);
  const which = answer?.offer === "argument" ? String(line.count - 1) : "";
  return { ...rest, choices: wordsOf(answer), offer: answer?.offer ?? null, which };
}

interface Line {
  /** Null if a word is not a verb. */
  readonly place: Place | null;
  readonly first: string;
  /** Words after the verb. */
  readonly count: number;
  readonly isAfterDashes: boolean;
  /** The option whose value comes next; null for none. */
  readonly pending: string | null;
  readonly connection: readonly string[];
}

function readBefore(words: readonly string[], table: LineTable): Line {
  let place = table.places.find(({ path }) => path === "")!;
  let pending: string | null = null;
  let [first, count, isAfterDashes] = ["", 0, false];
  const connection: string[] = [];
  const line = (at: Place | null): Line => ({
    ...{ place: at, first, count, isAfterDashes, pending, connection },
  });
  for (const [index, given] of words.entries()) {
    const isValue: boolean = pending !== null && !isLoose(pending, given, table);
    const word: string = isValue ? `${pending}=${given}` : given;
    pending = null;
    if (isAfterDashes) count += 1;
    else if (!isValue && word === "--") isAfterDashes = true;
    else if (!isValue && takesValue(word, place, table)) pending = word;
    else if (!isValue && word === "help" && index === 0) continue;
    else if (word.startsWith("-")) {
      if (table.connection.includes(word.split("=", 1)[0]!)) connection.push(word);
    } else if (place.verbs.length > 0) {
      const path = place.path === "" ? word : `${place.path} ${word}`;
      const next = table.places.find((each) => each.path === path);
      if (next === undefined) return line(null);
      place = next;
    } else {
      first ||= word;
      count += 1;
    }
  }
  return line(place);
}

/** True for an option whose value is the next word; also for a parameter of a job. */
function takesValue(word: string, place: Place, table: LineTable): boolean {
  if (table.valued.includes(word)) return true;
  if (!place.takesNamed || !word.startsWith("--") || word.includes("=")) return false;
  const known = [...place.options, ...place.shared.flatMap((group) => table.shared[group])];
  return known.every(({ text }) => text !== word);
}

/** True if a parameter has no value, as another option comes after it. */
function isLoose(pending: string | null, word: string, { valued }: LineTable): boolean {
  return pending !== null && word.startsWith("-") && !valued.includes(pending);
}

/** The answer for an option's value; null if the verb has no such option. */
function valueAnswer(name: string, { path }: Place, table: LineTable): Answer | null {
  if (!table.valued.includes(name)) return null;
  return table.answers.find(({ names, paths }) =>
    names.includes(name) && (paths === null || paths.includes(path))
  ) ?? { offer: null, words: [] };
}

function wordAt({ words }: Place, { count, isAfterDashes }: Line): Answer | undefined {
  const found = words[count] ?? words.findLast(({ isRest }) => isRest);
  return found?.isBeforeDashes && isAfterDashes ? undefined : found;
}

function wordsOf(answer: Answer | null | undefined): Choice[] {
  return answer?.words.map((text) => ({ text, describe: "" })) ?? [];
}
