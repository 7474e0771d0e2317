// The pages of section 1, from the table of verbs.
import { readFileSync } from "node:fs";
import {
  CONNECTION_OPTIONS,
  type OptionSpec,
  type OptionSpecs,
  optionText,
  OUTPUT_OPTIONS,
  PROGRAM_OPTIONS,
  WATCH_OPTIONS,
} from "../../../src/cli/parsing/options.ts";
import {
  isGroup,
  usageOf,
  type Verb,
  type VerbEntry,
  type VerbGroup,
} from "../../../src/cli/verb/verb.ts";
import { helpGroups } from "../../../src/cli/verb_groups.ts";
import { loadVerbs } from "../../../src/cli/verbs.ts";
import { bold, entry, escapeText, italic, literal, markdownText, page } from "./roff.ts";

const VERBS = await loadVerbs();

/** What all pages have in common. */
export interface Edition {
  readonly version: string;
  /** Day of the release: `2026-11-24`. */
  readonly date: string;
}

const PROGRAM = "jobctl";
const SUMMARY = "run jobs: on schedules, durably, from one file";

/** A page for the program and one for each verb or group, by the name of its file. */
export function verbPages(edition: Edition): Map<string, string> {
  const pages = new Map([[`${PROGRAM}.1`, programPage(edition)]]);
  for (const verb of VERBS) pages.set(`${PROGRAM}-${verb.name}.1`, verbPage(verb, edition));
  return pages;
}

function programPage(edition: Edition): string {
  const { version, ...others } = PROGRAM_OPTIONS;
  return page({ name: PROGRAM, section: 1, ...edition }, [
    ["NAME", [`${PROGRAM} \\- ${SUMMARY}`]],
    ["SYNOPSIS", [`${bold(PROGRAM)} ${italic("VERB")} [${italic("options")}]`]],
    ["DESCRIPTION", [
      `${bold("jobctl serve")} runs the daemon. Most other verbs are its clients. Each verb has a`,
      `page of its own, such as ${reference("jobctl-schedule", 1)}, and a help text:`,
      `${bold("jobctl VERB --help")}. ${bold("jobctl docs")} shows the documentation.`,
    ]],
    [
      "VERBS",
      helpGroups(VERBS).flatMap(({ title, verbs }) => [
        `.SS ${title}`,
        ...verbs.flatMap(({ name, summary }) => entry(bold(name), escapeText(`${summary}.`))),
      ]),
    ],
    ["OPTIONS", [
      ".SS Connection",
      ...optionEntries(CONNECTION_OPTIONS),
      ".SS Output",
      ...optionEntries(OUTPUT_OPTIONS),
      ".SS Watching",
      ...optionEntries(WATCH_OPTIONS),
      ".SS Others",
      ...optionEntries({ version: version!, help: { describe: "Show the help", isFlag: true } }),
    ]],
    ["EXIT STATUS", exitCodes()],
    ["ENVIRONMENT", [
      ...variableEntries(others),
      ".PP",
      `${reference("jobctl.toml", 5)} has the variables of the daemon.`,
    ]],
    ["SEE ALSO", seeAlso(VERBS.map(({ name }) => name))],
  ]);
}

function verbPage(verb: Verb | VerbGroup, edition: Edition): string {
  const title = `${PROGRAM}-${verb.name}`;
  const leaves = leavesOf(verb, [PROGRAM]);
  const options = Object.assign({}, ...leaves.map((leaf) => leaf.verb.options ?? {}));
  const isOffline = leaves.every((leaf) => leaf.verb.isOffline);
  return page({ name: title, section: 1, ...edition }, [
    ["NAME", [`${escapeText(title)} \\- ${escapeText(lowerFirst(verb.summary))}`]],
    ["SYNOPSIS", leaves.flatMap((leaf) => [".PP", synopsis(leaf)]).slice(1)],
    ["DESCRIPTION", isGroup(verb) ? leaves.flatMap(leafSection) : describe(leaves[0]!.verb)],
    ["OPTIONS", [
      ...(isGroup(verb) ? [] : optionEntries(verb.options ?? {})),
      ...(leaves.some((leaf) => leaf.verb.watches) ? optionEntries(WATCH_OPTIONS) : []),
      ".PP",
      `The options ${isOffline ? "" : "of the connection and "}of the output are in ${
        reference(PROGRAM, 1)
      }.`,
    ]],
    ["EXIT STATUS", [
      leaves.some((leaf) => leaf.verb.failed !== undefined)
        ? "As described above."
        : `0 for success. The other codes are in ${reference(PROGRAM, 1)}.`,
    ]],
    ["ENVIRONMENT", variableEntries(options)],
    ["EXAMPLES", isGroup(verb) ? [] : examples(leaves[0]!.verb)],
    ["SEE ALSO", seeAlso([], "config" in options)],
  ]);
}

/** A verb with the words that lead to it. */
interface Leaf {
  readonly titles: readonly string[];
  readonly verb: Verb;
}

function leavesOf(entry: VerbEntry, before: readonly string[]): Leaf[] {
  const titles = [...before, entry.name];
  if (!isGroup(entry)) return [{ titles, verb: entry }];
  return entry.verbs.flatMap((verb) => leavesOf(verb, titles));
}

function synopsis({ titles, verb }: Leaf): string {
  const words = usageOf([], verb);
  return `${bold(titles.join(" "))}${
    words.replace(/[A-Za-z]+/g, (word) => italic(word))
      .replaceAll("…", "\\[u2026]").replace(/^(?=.)/, " ")
  }`;
}

function leafSection({ titles, verb }: Leaf): string[] {
  return [
    `.SS ${escapeText(titles.slice(1).join(" "))}`,
    ...describe(verb),
    ...optionEntries(verb.options ?? {}),
    ...examples(verb),
  ];
}

function describe({ summary, details, words = [] }: Verb): string[] {
  return [
    escapeText(`${summary}.`),
    ...(details === undefined ? [] : [".PP", escapeText(details)]),
    ...words.flatMap(({ name, describe }) => entry(italic(name), escapeText(`${describe}.`))),
  ];
}

function optionEntries(options: OptionSpecs): string[] {
  return Object.entries(options).flatMap(([name, spec]) =>
    entry(optionTag(name, spec), escapeText(`${spec.describe}.`))
  );
}

function optionTag(name: string, spec: OptionSpec): string {
  const short = spec.alias === undefined ? "" : `${bold(`-${spec.alias}`)}, `;
  const [option, value] = optionText(name, spec).split(" ");
  return `${short}${bold(option!)}${value === undefined ? "" : ` ${italic(value)}`}`;
}

function variableEntries(options: OptionSpecs): string[] {
  return Object.entries(options).flatMap(([name, { env }]) =>
    env === undefined ? [] : entry(bold(env), `Used without ${bold(`--${name}`)}.`)
  );
}

function examples({ examples }: Verb): string[] {
  return examples.flatMap(([line, meaning]) => [
    ".PP",
    escapeText(`${meaning}:`).replace(/\?:$/, "?"),
    ...literal([line]),
  ]);
}

/** The table of docs/cli.md, which the tests compare with the codes. */
function exitCodes(): string[] {
  const text = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
  const section = text.split("\n## Exit codes\n")[1]!.split("\n## ")[0]!;
  return [...section.matchAll(/^\| (\d+) \| (.*) \|$/gm)].flatMap(([, code, meaning]) =>
    entry(bold(code!), `${markdownText(meaning!)}.`)
  );
}

function reference(name: string, section: number): string {
  return `${bold(name)}(${section})`;
}

function seeAlso(verbs: readonly string[], hasConfig = true): string[] {
  const pages = [
    ...(verbs.length === 0 ? [reference(PROGRAM, 1)] : []),
    ...verbs.map((name) => reference(`${PROGRAM}-${name}`, 1)),
    ...(hasConfig ? [reference("jobctl.toml", 5)] : []),
  ];
  return pages.map((each, index) => index === pages.length - 1 ? each : `${each},`);
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}
