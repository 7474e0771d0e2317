import type { Args } from "./parsing/args.ts";
import type { CliIo } from "./io.ts";
import type { Printer } from "./output/printer.ts";
import type { JobClient } from "./parsing/connection.ts";

/** One option of a verb. */
export interface OptionSpec {
  readonly describe: string;
  /** Single letter. */
  readonly alias?: string;
  /** Takes no value. */
  readonly isFlag?: boolean;
  /** Environment variable that stands in when the option is absent. */
  readonly env?: string;
  readonly choices?: readonly string[];
}

/** Options by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** One word after the verb; the last one may take all that follow. */
export interface WordSpec {
  readonly name: string;
  readonly describe: string;
  readonly isOptional?: boolean;
  readonly isRest?: boolean;
  /**
   * Whether an empty text is valid. Otherwise it is probably an unset variable of a script, and
   * must not mean "any" or "all".
   */
  readonly canBeEmpty?: boolean;
}

/** What a verb works with. */
export interface VerbContext {
  readonly io: CliIo;
  readonly printer: Printer;
  /** Opened at first use, closed when the verb ends. */
  client(): Promise<JobClient>;
}

/** A verb as data: from it come the parser, the help and the check of the documentation. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Further paragraphs of the help. */
  readonly details?: string;
  readonly words: readonly WordSpec[];
  readonly options: OptionSpecs;
  /** Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Whether it speaks to a daemon: only then are the options of the connection shown. */
  readonly isClient: boolean;
  /** Whether options that it does not have are arguments by name: `--region eu`. */
  readonly takesNamed?: boolean;
  /** Lines that its help ends with, for the words that it was given. */
  explain?(args: Args, context: VerbContext): Promise<readonly string[]>;
  /** Resolves with the exit code. */
  run(args: Args, context: VerbContext): Promise<number>;
}

/** Verbs under one first word, such as `list`. */
export interface VerbGroup {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Verb[];
}

/** Whether `entry` is a group. */
export function isGroup(entry: Verb | VerbGroup): entry is VerbGroup {
  return "verbs" in entry;
}
