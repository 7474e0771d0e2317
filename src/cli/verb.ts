import type { JobClient } from "../rpc/client/client.ts";
import type { CliIo } from "./io.ts";
import type { Printer } from "./output/printer.ts";
import type { Args } from "./parsing/args.ts";
import {
  CONNECTION_OPTIONS,
  type OptionSpecs,
  OUTPUT_OPTIONS,
  type WordSpec,
} from "./parsing/options.ts";

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
export interface VerbGroup<Entry = Verb> {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Entry[];
}

/** A verb, a group of verbs, or the program, which is the group of all of them. */
export type VerbEntry = Verb | VerbGroup<Verb | VerbGroup>;

/** True if `entry` is a group. */
export function isGroup(entry: VerbEntry): entry is VerbGroup<Verb | VerbGroup> {
  return "verbs" in entry;
}

/** Every option that a verb takes. */
export function optionsOf(verb: Verb): OptionSpecs {
  const connection = verb.isClient ? CONNECTION_OPTIONS : {};
  return { ...connection, ...OUTPUT_OPTIONS, ...verb.options };
}

/** How a verb is written: `jobctl schedule KIND [ARGS…]`. */
export function usageOf(titles: readonly string[], verb: Verb): string {
  const words = verb.words.map(({ name, isOptional, isRest }) => {
    const text = isRest ? `${name}…` : name;
    return isOptional ? `[${text}]` : text;
  });
  return [...titles, ...words, "[options]"].join(" ");
}
