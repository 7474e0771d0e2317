import { displayWidth } from "./output/table.ts";
import { wrap } from "./output/wrap.ts";
import { isGroup, usageOf, type Verb, type VerbEntry, type VerbGroup } from "./verb/verb.ts";
import { FIRST_VERBS, HELP_TOPICS, helpGroups } from "./verb_groups.ts";
import {
  CONNECTION_OPTIONS,
  type OptionSpecs,
  optionText,
  OUTPUT_OPTIONS,
  WATCH_OPTIONS,
} from "./parsing/options.ts";

/** Longer lines are hard to read. */
const WIDTH_MAX = 100;
const WIDTH_MIN = 40;
/** Wider left columns have their text on the next line. */
const TAG_WIDTH_MAX = 28;
const INDENT = "  ";
/** The heading of options without a heading. */
const OPTIONS = "Options";
const GAP = "  ";

/** Options of every verb, by the topic that shows them. */
const OPTION_TOPICS = {
  connection: CONNECTION_OPTIONS,
  output: OUTPUT_OPTIONS,
} as const;

const OPTION_TEXTS = {
  connection: [
    "How a verb finds its daemon. The first of these decides: an address in options or --context;",
    "variables; config.toml in this folder; the current context (jobctl context use);",
    "this machine's daemon. jobctl context show says what it is here.",
  ].join(" "),
  output: "The forms of output. Every verb has these options.",
} as const;

/** Topics that are sections of a page. */
const PAGE_TOPICS: Readonly<Record<string, string>> = {
  "exit-codes": "cli#exit-codes",
  times: "cli#ids-and-times",
};

/**
 * The help text of a verb, of a group of verbs, or of the program.
 *
 * @param titles the words that lead to it, such as `jobctl list jobs`
 * @param columns width of the terminal
 */
export function helpOf(titles: readonly string[], entry: VerbEntry, columns: number): string {
  const width = Math.max(WIDTH_MIN, Math.min(columns, WIDTH_MAX));
  const lines = !isGroup(entry)
    ? verbLines(titles, entry, width)
    : titles.length === 1
    ? programLines(entry, width)
    : groupLines(titles, entry, width);
  return `${lines.join("\n")}\n`;
}

function programLines({ name, summary, verbs }: VerbGroup<Verb | VerbGroup>, width: number) {
  const groups = helpGroups(verbs)
    .map(({ title, verbs }) => [title, verbs.map((verb) => verb.name).join(" ")] as const);
  return [
    `Usage: ${name} VERB [options]`,
    "",
    ...wrap(`${summary}.`, width),
    "",
    ...rows(FIRST_VERBS, width),
    "",
    ...rows(groups, width),
    "",
    ...rows([
      [`${name} help VERB`, "Its arguments, options and examples"],
      [`${name} help TOPIC`, `One of ${Object.keys(HELP_TOPICS).join(", ")}`],
    ], width),
  ];
}

function groupLines(
  titles: readonly string[],
  { summary, verbs, initial, otherwise }: VerbGroup<VerbEntry>,
  width: number,
) {
  const title = titles.join(" ");
  const others = (otherwise?.words ?? []).map(({ name }) => [name, otherwise!.summary] as const);
  return [
    `Usage: ${title} ${initial === undefined ? "VERB" : "[VERB]"} [options]`,
    "",
    ...wrap(`${summary}.`, width),
    ...(initial === undefined ? [] : wrap(`Alone, it is ${title} ${initial.name}.`, width)),
    "",
    ...rows([...verbs.map((verb) => [verb.name, verb.summary] as const), ...others], width),
    "",
    ...wrap(`Arguments, options and examples of each: ${title} VERB --help`, width),
  ];
}

function verbLines(titles: readonly string[], verb: Verb, width: number): string[] {
  const { summary, details, words = [], options = {}, examples, isOffline } = verb;
  const own = { ...options, ...(verb.watches === undefined ? {} : WATCH_OPTIONS) };
  return [
    ...wrap(`Usage: ${usageOf(titles, verb)}`, width, { hanging: INDENT.repeat(4) }),
    "",
    ...wrap(`${summary}.`, width),
    ...(details === undefined ? [] : ["", ...wrap(details, width)]),
    ...(words.length === 0 ? [] : [
      "",
      ...rows(words.map(({ name, describe }) => [name, describe]), width),
    ]),
    ...optionLines(own, width),
    "",
    "Examples:",
    ...exampleLines(examples, width),
    "",
    ...wrap(sharedText(titles[0]!, isOffline === true), width),
  ];
}

/** The options of a verb, under their headings. */
function optionLines(specs: OptionSpecs, width: number): string[] {
  const all = Object.entries(specs);
  if (all.length === 0) return [];
  const headings = [...new Set(all.map(([, { heading = OPTIONS }]) => heading)), OPTIONS];
  const help: Row = ["-h, --help", "Show this help"];
  return [...new Set(headings)].flatMap((title) => {
    const own = all.filter(([, { heading = OPTIONS }]) => heading === title);
    const shown = optionRows(Object.fromEntries(own)).map(([tag, text]): Row => [
      tag,
      withoutHeading(text, title),
    ]);
    return ["", `${title}:`, ...rows(title === OPTIONS ? [...shown, help] : shown, width)];
  });
}

/** A text without the heading that it repeats, such as "With --cron: the zone". */
function withoutHeading(text: string, title: string): string {
  const start = `${title}: `;
  if (!text.startsWith(start)) return text;
  return text.charAt(start.length).toUpperCase() + text.slice(start.length + 1);
}

function sharedText(program: string, isOffline: boolean): string {
  const output = `${program} help output`;
  return isOffline
    ? `More options: ${output}`
    : `More options: ${program} help connection, ${output}`;
}

/** The text of a topic of {@link HELP_TOPICS}. */
export async function topicHelp(topic: string, columns: number): Promise<string> {
  const width = Math.max(WIDTH_MIN, Math.min(columns, WIDTH_MAX));
  const section = PAGE_TOPICS[topic];
  if (section !== undefined) {
    return await (await import("./docs/show.ts")).sectionText(section, width);
  }
  const specs = OPTION_TOPICS[topic as keyof typeof OPTION_TOPICS];
  return `${
    [
      ...wrap(OPTION_TEXTS[topic as keyof typeof OPTION_TOPICS], width),
      "",
      ...rows(optionRows(specs), width),
      "",
      ...wrap(`More: jobctl docs cli#${topic}`, width),
    ].join("\n")
  }\n`;
}

function optionRows(specs: OptionSpecs): Row[] {
  return Object.entries(specs).map(([name, spec]) => [optionTag(name, spec), textOf(spec)]);
}

function optionTag(name: string, spec: OptionSpecs[string]): string {
  return `${spec.alias === undefined ? "    " : `-${spec.alias}, `}${optionText(name, spec)}`;
}

function textOf({ describe, env }: OptionSpecs[string]): string {
  return env === undefined ? describe : `${describe} [${env}]`;
}

type Row = readonly [tag: string, text: string];

/** A list in two columns. */
function rows(entries: readonly Row[], width: number): string[] {
  const tags = entries.map(([tag]) => displayWidth(tag));
  const left = Math.max(0, ...tags.filter((tag) => tag <= TAG_WIDTH_MAX));
  const blank = INDENT + " ".repeat(left) + GAP;
  return entries.flatMap(([tag, text]) => {
    const lines = wrap(text, width - blank.length);
    const first = `${INDENT}${tag}`;
    if (displayWidth(tag) > left) return [first, ...lines.map((line) => blank + line)];
    const padding = " ".repeat(left - displayWidth(tag)) + GAP;
    return lines.map((line, at) => (at === 0 ? first + padding : blank) + line);
  });
}

/** Commands with their meaning beside them, or above if too wide. */
function exampleLines(examples: readonly Row[], width: number): string[] {
  const widest = Math.max(...examples.map(([line]) => displayWidth(line)));
  const isBeside = examples.every(([, meaning]) =>
    INDENT.length + widest + GAP.length + 2 + displayWidth(meaning) <= width
  );
  if (isBeside) {
    return examples.map(([line, meaning]) =>
      `${INDENT}${line}${" ".repeat(widest - displayWidth(line))}${GAP}# ${meaning}`
    );
  }
  return examples.flatMap(([line, meaning]) => [
    ...wrap(meaning, width - 4).map((text) => `${INDENT}# ${text}`),
    ...commandLines(line, width - INDENT.length).map((text) => INDENT + text),
  ]);
}

/** A command that continues on the next line before an option, in shell syntax. */
function commandLines(command: string, width: number): string[] {
  const parts = command.split(/ (?=-|>|\|)(?=(?:[^']*'[^']*')*[^']*$)/);
  const lines: string[] = [];
  let line = parts[0]!;
  for (const part of parts.slice(1)) {
    if (displayWidth(line) + 1 + displayWidth(part) <= width - 2) {
      line += ` ${part}`;
      continue;
    }
    lines.push(`${line} \\`);
    line = `${INDENT}${part}`;
  }
  return [...lines, line];
}
