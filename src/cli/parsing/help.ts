import yargs, { type Argv } from "yargs";
import { isGroup, optionsOf, usageOf, type Verb, type VerbEntry } from "../verb.ts";
import {
  CONNECTION_OPTIONS,
  type OptionSpecs,
  OUTPUT_OPTIONS,
  PROGRAM_OPTIONS,
} from "./options.ts";

const WIDTH_MAX = 100;

/**
 * The help text of a verb, of a group of verbs, or of the program.
 *
 * @param titles the words that lead to it, such as `jobctl list jobs`
 * @param columns width of the terminal
 */
export async function helpOf(
  titles: readonly string[],
  entry: VerbEntry,
  columns: number,
): Promise<string> {
  const help = yargs([])
    .scriptName(titles.join(" "))
    .detectLocale(false)
    .locale("en")
    .help("h", "Show this help; --help does the same")
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(columns, WIDTH_MAX));
  if (!isGroup(entry)) describeVerb(help, titles, entry);
  else {
    help.usage(`Usage: ${titles.join(" ")} VERB [options]\n\n${entry.summary}.`);
    for (const { name, summary } of entry.verbs) help.command(name, summary);
    if (titles.length === 1) describeProgram(help, entry.name);
  }
  return `${await help.getHelp()}\n`;
}

function describeProgram(help: Argv, program: string): void {
  declare(help, PROGRAM_OPTIONS);
  help.group(["version", "h"], "Options:");
  help.group(Object.keys(CONNECTION_OPTIONS), "Connection:");
  help.group(Object.keys(OUTPUT_OPTIONS), "Output:");
  help.epilogue(`Help of one verb: ${program} VERB --help. Documentation: docs/cli.md`);
}

function describeVerb(help: Argv, titles: readonly string[], verb: Verb): void {
  const { details, words = [], options = {}, examples, isOffline } = verb;
  const rows = words.map(({ name, describe }) => `  ${name}  ${describe}`);
  const paragraphs = [
    `Usage: ${usageOf(titles, verb)}`,
    `${verb.summary}.`,
    ...(details ? [details] : []),
    ...(rows.length > 0 ? [rows.join("\n")] : []),
  ];
  help.usage(paragraphs.join("\n\n"));
  declare(help, optionsOf(verb));
  help.group(["h", ...Object.keys(options)], "Options:");
  if (!isOffline) help.group(Object.keys(CONNECTION_OPTIONS), "Connection:");
  help.group(Object.keys(OUTPUT_OPTIONS), "Output:");
  for (const [line, meaning] of examples) help.example(line, meaning);
}

function declare(help: Argv, specs: OptionSpecs): void {
  for (const [name, { alias, describe, env, isFlag }] of Object.entries(specs)) {
    const text = env ? `${describe} [${env}]` : describe;
    help.option(name, { alias, describe: text, type: isFlag ? "boolean" : "string" });
  }
}
