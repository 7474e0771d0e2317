import { optionsOf } from "./options.ts";
import type { VerbRun } from "./parse.ts";
import type { Verb } from "../verb.ts";

/**
 * Read the plain command line of a verb that takes no words: options of its own, each once, with values that nothing else can
 * be meant by. The full parser and all verbs that it knows would stay in the memory of a daemon.
 *
 * @param argv what follows the verb
 * @returns null for everything else, which the full parser reads
 */
export function readPlainLine(verb: Verb, argv: readonly string[]): VerbRun | null {
  const specs = optionsOf(verb);
  const values: Record<string, string> = {};
  for (let index = 0; index < argv.length; index++) {
    const [, dashes, name, joined] = /^(--?)([a-z][a-z-]*)(?:=(.*))?$/s.exec(argv[index]!) ?? [];
    const option = Object.keys(specs).find((each) =>
      dashes === "--" ? each === name : specs[each]!.alias === name
    );
    if (option === undefined || option in values || specs[option]!.isFlag) return null;
    // One letter joined to its value is read in more than one way.
    if (dashes === "-" && joined !== undefined) return null;
    const value = joined ?? argv[++index];
    if (value === undefined || !/^[\w./:~@]/.test(value)) return null;
    values[option] = value;
  }
  const title = `jobctl ${verb.name}`;
  return { type: "run", verb, title, words: {}, values, specs, named: [] };
}
