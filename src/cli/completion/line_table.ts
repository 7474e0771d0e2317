import {
  CONNECTION_OPTIONS,
  type Offer,
  OUTPUT_OPTIONS,
  PROGRAM_OPTIONS,
} from "../parsing/options.ts";
import type { OptionSpec, OptionSpecs } from "../parsing/options.ts";
import { isGroup, optionsOf, type Verb, type VerbEntry, type VerbGroup } from "../verb.ts";

/** A word that a shell offers. */
export interface Choice {
  readonly text: string;
  readonly describe: string;
}

/** A name that the daemon knows, and what it is. */
export interface LiveName {
  readonly name: string;
  readonly describe: string;
}

/** What is offered at one place of the line. */
export interface Answer {
  readonly offer: Offer | null;
  readonly words: readonly string[];
}

/** A group of options that many places have. */
export type SharedOptions = "connection" | "output";

/** A place of the line after the words that lead to it: `list instances`; "" for the program. */
export interface Place {
  readonly path: string;
  readonly verbs: readonly Choice[];
  /** Besides those of `shared`. */
  readonly options: readonly Choice[];
  /** Groups of options that many places have. */
  readonly shared: readonly SharedOptions[];
  /** Its words, in order: of a group, those in place of a verb. */
  readonly words: readonly (Answer & {
    readonly isRest: boolean;
    readonly isBeforeDashes: boolean;
  })[];
  /** True if unknown options are arguments by name of the job that its first word names. */
  readonly takesNamed: boolean;
}

/** The value of an option, and the places where that is its value. */
export interface OptionAnswer extends Answer {
  /** With the dashes; also its short form. */
  readonly names: readonly string[];
  /** Null if it is the value everywhere else. */
  readonly paths: readonly string[] | null;
}

/** The command line as a shell has to know it. */
export interface LineTable {
  readonly places: readonly Place[];
  readonly shared: Readonly<Record<SharedOptions, readonly Choice[]>>;
  /** Options that take a value, wherever they are. */
  readonly valued: readonly string[];
  /** Options that the daemon is asked with; also their short forms. */
  readonly connection: readonly string[];
  readonly answers: readonly OptionAnswer[];
}

const SHARED: Readonly<Record<SharedOptions, OptionSpecs>> = {
  connection: CONNECTION_OPTIONS,
  output: { ...OUTPUT_OPTIONS, help: { describe: "Show the help", isFlag: true } },
};

/** The table of the whole command line, from the table of verbs. */
export function lineTable(verbs: VerbGroup<Verb | VerbGroup>["verbs"]): LineTable {
  const places: Place[] = [];
  const specs: { path: string; options: OptionSpecs }[] = [];
  const walk = (entry: VerbEntry, path: string) => {
    const options = isGroup(entry) ? groupOptions(path) : optionsOf(entry);
    specs.push({ path, options });
    places.push({
      path,
      verbs: isGroup(entry)
        ? entry.verbs.map(({ name, summary }) => ({ text: name, describe: summary }))
        : [],
      ...sharedAndOwn(options),
      words: ((isGroup(entry) ? entry.otherwise?.words : entry.words) ?? []).map((word) => ({
        ...answerOf(word),
        isRest: word.isRest === true,
        isBeforeDashes: word.isBeforeDashes === true,
      })),
      takesNamed: !isGroup(entry) && entry.takesNamed === true,
    });
    if (!isGroup(entry)) return;
    for (const verb of entry.verbs) walk(verb, path === "" ? verb.name : `${path} ${verb.name}`);
  };
  walk({ name: "", summary: "", verbs }, "");
  const valued = specs.flatMap(({ options }) =>
    Object.entries(options).filter(([, spec]) => !spec.isFlag)
      .flatMap(([name, spec]) => namesOf(name, spec))
  );
  return {
    places,
    shared: { connection: choicesOf(SHARED.connection), output: choicesOf(SHARED.output) },
    valued: [...new Set(valued)],
    connection: Object.entries(CONNECTION_OPTIONS).flatMap(([name, spec]) => namesOf(name, spec)),
    answers: optionAnswers(specs),
  };
}

/** The groups that are among the options, and the other options. */
function sharedAndOwn(options: OptionSpecs): Pick<Place, "options" | "shared"> {
  const names = Object.keys(SHARED) as SharedOptions[];
  const shared = names.filter((name) =>
    Object.entries(SHARED[name]).every(([option, spec]) =>
      option === "help" || options[option] === spec
    )
  );
  const taken = new Set(shared.flatMap((name) => Object.keys(SHARED[name])));
  const own = { help: SHARED.output.help!, ...options };
  const entries = Object.entries(own).filter(([name]) => !taken.has(name));
  return { shared, options: choicesOf(Object.fromEntries(entries)) };
}

function choicesOf(options: OptionSpecs): Choice[] {
  return Object.entries(options).flatMap(([name, spec]) =>
    namesOf(name, spec).map((text) => ({ text, describe: spec.describe }))
  );
}

/** The options before a verb of the program, and before one of a group. */
function groupOptions(path: string): OptionSpecs {
  const { version, ...others } = PROGRAM_OPTIONS;
  return path === "" ? { ...others, version: version! } : others;
}

function namesOf(name: string, { alias }: OptionSpec): string[] {
  return alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`];
}

function answerOf(
  { offers, suggests, choices }: Pick<OptionSpec, "offers" | "suggests" | "choices">,
): Answer {
  return { offer: offers ?? null, words: choices ?? suggests ?? [] };
}

/** Each option's value once if it is the same at all places, else the most frequent one last. */
function optionAnswers(
  specs: readonly { readonly path: string; readonly options: OptionSpecs }[],
): OptionAnswer[] {
  const byName = new Map<string, Map<string, { answer: Answer; paths: string[] }>>();
  for (const { path, options } of specs) {
    for (const [name, spec] of Object.entries(options)) {
      if (spec.isFlag) continue;
      for (const text of namesOf(name, spec)) {
        const answer = answerOf(spec);
        const key = JSON.stringify(answer);
        const found = byName.get(text) ?? new Map();
        byName.set(text, found);
        found.set(key, { answer, paths: [...found.get(key)?.paths ?? [], path] });
      }
    }
  }
  const all = [...byName].flatMap(([text, found]) => {
    const values = [...found.values()].sort((a, b) => a.paths.length - b.paths.length);
    return values.map(({ answer, paths }, index) => ({
      ...answer,
      names: [text],
      paths: index === values.length - 1 ? null : paths,
    }));
  }).filter(({ offer, words, paths }) => paths !== null || offer !== null || words.length > 0);
  const merged = new Map<string, OptionAnswer>();
  for (const { names, ...rest } of all) {
    const key = JSON.stringify(rest);
    merged.set(key, { ...rest, names: [...merged.get(key)?.names ?? [], ...names] });
  }
  // An exception comes before the rule.
  return [...merged.values()].sort((a, b) => Number(a.paths === null) - Number(b.paths === null));
}
