import type { JobError } from "../../core/errors.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { FoundDaemon } from "../contexts/find_daemon.ts";
import type { CliIo } from "../io/io.ts";
import type { Printer } from "../output/printer.ts";
import type { Args } from "../parsing/args.ts";
import {
  CONNECTION_OPTIONS,
  type OptionSpecs,
  OUTPUT_OPTIONS,
  WATCH_OPTIONS,
  type WordSpec,
} from "../parsing/options.ts";

/** The environment of a verb. */
export interface VerbContext {
  readonly io: CliIo;
  readonly printer: Printer;
  /** Connects at first use. The connection is closed when the verb ends. */
  client(): Promise<JobClient>;
  /** The connection of {@link client} to its daemon. */
  daemon(): Promise<FoundDaemon>;
  /** The daemon of {@link client}, and its source: `localhost:59051 (the default)`. */
  daemonText(): Promise<string>;
}

/** A verb as data, the source of the parser, the help and the check of the documentation. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Further paragraphs of the help. */
  readonly details?: string;
  readonly words?: readonly WordSpec[];
  readonly options?: OptionSpecs;
  /** Command lines and their effects. */
  readonly examples: readonly (readonly [string, string])[];
  /** True if it works without a daemon: it has no options of the connection. */
  readonly isOffline?: boolean;
  /** True if it also runs with unusable options of the connection: `client` rejects. */
  readonly needsNoConnection?: boolean;
  /** Subject of `--watch`: instance ID, job KIND, subject of NAME, or all; absent: no option. */
  readonly watches?: "instance" | "job" | "named" | "everything";
  /** True if unknown options are arguments by name: `--region eu`. */
  readonly takesNamed?: boolean;
  /** Lines at the end of its help, about the words of this command line. */
  explain?(args: Args, context: VerbContext): Promise<readonly string[]>;
  /** Replaces the error's message and exit code, where the verb's callers expect others. */
  failed?(error: JobError): { readonly line: string; readonly code: number };
  /** Resolves with the exit code, or with nothing for success. */
  run(args: Args, context: VerbContext): Promise<number | void>;
}

/** Verbs under one first word, such as `list`. */
export interface VerbGroup<Entry = Verb> {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Entry[];
  /** The verb for the group alone; absent if a verb must be named. */
  readonly initial?: Entry;
  /** The verb for a single word that names none of its verbs, such as an id. */
  readonly otherwise?: Verb;
}

/** A verb, a group of verbs, or the program, which is the group of all of them. */
export type VerbEntry = Verb | VerbGroup<Verb | VerbGroup>;

/** True if `entry` is a group. */
export function isGroup(entry: VerbEntry): entry is VerbGroup<Verb | VerbGroup> {
  return "verbs" in entry;
}

/** Every option that a verb takes. */
export function optionsOf(verb: Verb): OptionSpecs {
  const connection = verb.isOffline ? {} : CONNECTION_OPTIONS;
  const watch = verb.watches === undefined ? {} : WATCH_OPTIONS;
  return { ...connection, ...OUTPUT_OPTIONS, ...watch, ...verb.options };
}

/** The options known before the next verb. In a group any of its verbs may follow. */
export function optionsAt(entry: VerbEntry): OptionSpecs {
  if (!isGroup(entry)) return optionsOf(entry);
  return Object.assign({}, ...entry.verbs.map(optionsAt));
}

/** Usage line of a verb: `jobctl schedule KIND [ARGS…]`. */
export function usageOf(titles: readonly string[], verb: Verb): string {
  const words = (verb.words ?? []).map(({ name, isOptional, isRest }) => {
    const text = isRest ? `${name}…` : name;
    return isOptional ? `[${text}]` : text;
  });
  return [...titles, ...words, "[options]"].join(" ");
}
