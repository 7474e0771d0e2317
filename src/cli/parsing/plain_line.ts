import { optionsOf, type Verb } from "../verb.ts";
import type { VerbRun } from "./parse.ts";

/**
 * Read the command line of a verb without words, if it is plain: options of the verb, each given
 * once, with values that cannot be misread. The full parser would load every verb and keep it in
 * the memory of a daemon.
 *
 * @param argv the line after the verb
 * @returns null if the full parser has to read it
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
    // A value joined to a single letter can be read in more than one way.
    if (dashes === "-" && joined !== undefined) return null;
    const value = joined ?? argv[++index];
    if (value === undefined || !/^[\w./:~@]/.test(value)) return null;
    values[option] = value;
  }
  return { type: "run", verb, words: {}, values, named: [] };
}
