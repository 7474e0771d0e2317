import type { Verb, VerbGroup } from "./verb/verb.ts";

/** Verbs under one heading of the help. */
export interface HelpGroup {
  readonly title: string;
  readonly verbs: readonly (Verb | VerbGroup)[];
}

/** The first steps, each on a separate line in the help of the program. */
export const FIRST_VERBS: readonly (readonly [string, string])[] = [
  ["init", "Write a configuration with an example job"],
  ["serve", "Run the daemon"],
  ["run", "Run a job now, and show what it prints"],
  ["status", "Show what the daemon is doing, and what is wrong"],
  ["logs", "Show what a run, or the last run of a job, has printed"],
  ["explain", "Say why a job ran, or why it did not"],
];

/** Topics of `jobctl help` other than verbs, each with its subject. */
export const HELP_TOPICS: Readonly<Record<string, string>> = {
  connection: "how a verb finds its daemon",
  output: "the forms of output",
  "exit-codes": "what each exit code means",
  times: "how ids, times and durations are written",
};

/** The groups of the help by their verbs, in order. A new verb gets its place here. */
const GROUPS: readonly (readonly [string, string])[] = [
  ["Daemon", "serve stop reload upgrade-daemon status healthcheck workers open"],
  ["Run", "run schedule exec wrap retry signal approve reject undo redrive backfill"],
  ["Look", "top list get describe explain logs history incidents"],
  ["Change", "cancel pause resume skip update delete ack silence notices"],
  ["Offline", "init check next simulate import export"],
  ["Machine", "doctor install-service uninstall-service store selftest verify"],
  ["Access", "context token sessions"],
  ["Help", "help docs completion version"],
];

const REST = "More";

/** The verbs of the program by group. Each is in exactly one. */
export function helpGroups(verbs: readonly (Verb | VerbGroup)[]): HelpGroup[] {
  const left = new Map(verbs.map((verb) => [verb.name, verb]));
  const groups = GROUPS.map(([title, names]) => {
    const found = names.split(" ").map((name) => left.get(name)).filter((verb) =>
      verb !== undefined
    );
    for (const { name } of found) left.delete(name);
    return { title, verbs: found };
  });
  return [...groups, { title: REST, verbs: [...left.values()] }]
    .filter((group) => group.verbs.length > 0);
}
