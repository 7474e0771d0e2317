import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { isTime } from "./time.ts";

// Words of other programs, and the commands for them here. Words in capitals are placeholders.

/** The intended command line, by the word in the place of a verb. */
export type Guesses = Readonly<Record<string, string>>;

/** By the verb or group before the word; "" is the program. */
const VERB_GUESSES: Readonly<Record<string, Guesses>> = {
  "": byWord([
    ["list instances", "ls instances instance runs queue executions"],
    ["list instances --state running", "ps running active"],
    ["list instances --state waiting", "waiting queued pending"],
    ["list instances --state failed", "failed failures errors error"],
    ["list jobs", "jobs job kinds"],
    ["list dead", "dead dead-letters dlq"],
    ["list schedules", "schedules crons"],
    ["list timers", "timers list-timers calendar upcoming"],
    ["list pauses", "pauses paused"],
    ["list silences", "silences silenced"],
    ["list nodes", "nodes cluster"],
    ["status", "problems info alerts limits blocked blockers"],
    ["healthcheck", "health ping alive"],
    ["top", "monitor tui"],
    ["logs KIND --follow", "tail follow attach watch"],
    ["logs KIND", "output print"],
    ["describe KIND", "show inspect view args params stats"],
    ["describe last:KIND", "latest"],
    ["run KIND", "start trigger exec-now launch now invoke"],
    ["schedule KIND --at TIME", "at enqueue submit add create queue-add later"],
    ["schedule KIND --cron CRON", "every cron repeat"],
    ["cancel ID", "kill abort terminate interrupt"],
    ["retry ID", "rerun replay again"],
    ["redrive --kind KIND", "requeue"],
    ["pause KIND", "disable suspend hold"],
    ["pause ID --freeze", "freeze"],
    ["resume KIND", "unpause enable continue"],
    ["resume ID", "thaw unfreeze"],
    ["silence KIND --until TIME", "mute snooze"],
    ["silence --end KIND", "unsilence unmute"],
    ["explain KIND", "why"],
    ["update schedule ID", "edit change modify reschedule"],
    ["delete schedule ID", "rm remove unschedule"],
    ["workers scale COUNT", "scale resize"],
    ["serve", "daemon server up"],
    ["stop", "down shutdown quit"],
    ["check", "validate lint config configuration configure"],
    ["reload --dry-run", "diff plan"],
    ["reload", "refresh rehash"],
    ["upgrade-daemon", "upgrade restart handover"],
    ["install-service", "install setup"],
    ["import crontab", "crontab"],
    ["store backup FILE", "backup dump"],
    ["store restore FILE", "restore"],
    ["context use NAME", "use switch"],
    ["context add NAME", "login connect"],
    ["context show", "whoami which"],
    ["token list", "tokens"],
    ["notices", "channels mail webhooks"],
    ["docs", "man manual"],
    ["open", "dashboard ui web"],
    ["help exit-codes", "exit exitcodes exit-code"],
  ]),
  list: byWord([
    ["list instances", "runs run executions tasks queue all"],
    ["list instances --state running", "running active"],
    ["list instances --state waiting", "waiting queued pending"],
    ["list instances --state done", "done completed succeeded"],
    ["list instances --state failed", "failed failures errors"],
    ["list dead", "dead-letters dlq"],
    ["list schedules", "crons recurring"],
    ["list timers", "next upcoming"],
    ["list pauses", "paused"],
    ["list silences", "silenced"],
    ["list jobs", "kinds"],
    ["incidents", "incidents problems alerts"],
    ["token list", "tokens"],
    ["context list", "contexts"],
    ["sessions", "sessions"],
    ["workers get", "workers"],
    ["logs", "logs log"],
  ]),
  workers: byWord([["workers scale COUNT", "set change resize"]]),
  token: byWord([
    ["token new NAME", "create add make"],
    ["token revoke NAME", "rm remove delete"],
    ["token list", "ls show"],
  ]),
  context: byWord([
    ["context add NAME", "new create save"],
    ["context list", "ls"],
    ["context show", "current get"],
    ["context use NAME", "switch set select"],
    ["context remove NAME", "rm delete"],
  ]),
  store: byWord([
    ["store info", "size stats status show"],
    ["store backup FILE", "dump save"],
    ["store restore FILE", "load"],
    ["store verify", "check fsck"],
    ["store gc", "clean compact vacuum"],
  ]),
  notices: byWord([["notices test NAME", "send try"]]),
  sessions: byWord([["sessions revoke ID", "end kill logout rm delete"]]),
  import: byWord([["import crontab", "cron"], ["import systemd", "timers"]]),
};

/** Options here for options of other programs. The first one known to the verb counts. */
const OPTION_GUESSES: Readonly<Record<string, readonly string[]>> = {
  failed: ["--state failed"],
  errors: ["--state failed", "--level error"],
  running: ["--state running"],
  waiting: ["--state waiting"],
  queued: ["--state waiting"],
  done: ["--state done"],
  status: ["--state STATE"],
  job: ["--kind KIND"],
  name: ["--kind KIND"],
  tz: ["--timezone ZONE"],
  timezone: ["--tz ZONE"],
  zone: ["--timezone ZONE", "--tz ZONE"],
  every: ["--cron '@every 15m'"],
  daily: ["--cron '30 7 * * *'"],
  hourly: ["--cron @hourly"],
  weekly: ["--cron @weekly"],
  delay: ["--in DURATION"],
  when: ["--at TIME"],
  at: ["--after TIME", "--since TIME"],
  after: ["--since TIME", "--from TIME"],
  for: ["--until +2h", "--to +7d"],
  until: ["--to TIME"],
  off: ["--end"],
  undo: ["--none", "--end"],
  from: ["--after TIME", "--since TIME"],
  since: ["--from TIME", "--after TIME"],
  to: ["--until TIME"],
  before: ["--until TIME", "--to TIME"],
  lines: ["--limit N"],
  limit: ["--count N", "--lines N"],
  n: ["--limit N", "--next N"],
  count: ["--limit N", "--next N"],
  tail: ["--lines N", "--follow"],
  order: ["--sort FIELD"],
  "sort-by": ["--sort FIELD"],
  args: ["--args-json JSON", "--text TEXT"],
  arg: ["--text TEXT"],
  arguments: ["--args-json JSON", "--text TEXT"],
  grep: ["--text TEXT", "--search TEXT"],
  search: ["--text TEXT"],
  contains: ["--text TEXT"],
  background: ["--detach"],
  wait: ["--follow"],
  force: ["--now", "--yes"],
  confirm: ["--yes"],
  json: ["-o json"],
  format: ["-o FORMAT"],
};

function byWord(guesses: readonly (readonly [command: string, words: string])[]): Guesses {
  return Object.fromEntries(
    guesses.flatMap(([command, words]) => words.split(" ").map((word) => [word, command])),
  );
}

/** Every command line and option that a hint can name, for tests. */
export const GUESSED: { readonly verbs: readonly string[]; readonly options: readonly string[] } = {
  verbs: Object.values(VERB_GUESSES).flatMap((guesses) => Object.values(guesses)),
  options: Object.values(OPTION_GUESSES).flat(),
};

/** A word in the place of a verb. */
export interface UnknownWord {
  /** The verb before it; "" for none. */
  readonly group: string;
  /** The verbs that are possible in its place. */
  readonly names: readonly string[];
  readonly word: string;
  /** The words after it: they fill the gaps. */
  readonly next?: readonly string[];
  /** Everything after it, with options: the unused part is repeated unchanged. */
  readonly rest?: readonly string[];
}

/** The command line that an unknown word probably means; undefined if unknown. */
export function guessVerb(unknown: UnknownWord): string | undefined {
  const { group, names, word } = unknown;
  const guesses = Object.hasOwn(VERB_GUESSES, group) ? VERB_GUESSES[group]! : {};
  const name = word.toLowerCase();
  if (Object.hasOwn(guesses, name)) return fill(guesses[name]!, unknown);
  const shown = makeVisible(shellWord(word));
  const others = restText(unknown.rest);
  if (group === "workers" && /^\d+$/.test(word)) return `workers scale ${shown}`;
  if (group === "import" && /[./]/.test(word)) return `import crontab ${shown}${others}`;
  return names.length === 1 ? `${group} ${names[0]} ${shown}${others}` : undefined;
}

/** Longest end of a command line that a hint repeats, in characters. */
const REST_MAX = 200;

/** The end of a command line for a hint; empty if it may have a secret. */
export function restText(rest: readonly string[] = []): string {
  const text = rest.map((word) => ` ${makeVisible(shellWord(word))}`).join("");
  return rest.some((word) => word.startsWith("--token")) || text.length > REST_MAX ? "" : text;
}

const RUN_WORDS = /^(?:instances?|runs?|executions?|last(?::.*)?)$/;
const DEAD_WORDS = /^(?:dead|dead-letters?|dlq|failed|logs?|history)$/;
const METRICS_WORDS = /^(?:metrics|prometheus|grafana)$/;
const DELETED_BY_ITSELF =
  "Finished instances are deleted automatically, after keep.success or keep.failure of their job";

/** Advice about something that no verb of a group can change; undefined if unknown. */
export function adviceFor(group: string, word: string): string | undefined {
  const name = word.toLowerCase();
  if (group === "" && METRICS_WORDS.test(name)) {
    return "The daemon serves them at /metrics of server.http: jobctl docs monitoring#prometheus";
  }
  // Other words for impossible actions.
  if (group === "" && /^(?:priority|prioritize|renice)$/.test(name)) {
    return adviceFor("update", "instance");
  }
  if (group === "" && /^(?:dismiss|discard|purge|forget)$/.test(name)) {
    return adviceFor("delete", "dead");
  }
  if (group === "notices" && /^(?:add|new|create)$/.test(name)) {
    return "Add [notices.NAME] to the configuration, then run jobctl reload: see jobctl docs notices";
  }
  if (group === "delete" && DEAD_WORDS.test(name)) return DELETED_BY_ITSELF;
  if (group === "delete" && RUN_WORDS.test(name)) {
    return `${DELETED_BY_ITSELF}. To end one that waits or runs: jobctl cancel ID`;
  }
  if (group === "update" && RUN_WORDS.test(name)) {
    return "An instance cannot be changed: cancel it with jobctl cancel ID, and schedule the job again";
  }
  if ((group === "delete" || group === "update") && /^(?:jobs?|kinds?)$/.test(name)) {
    return "Change the job in the configuration, then run jobctl reload";
  }
  return undefined;
}

/** A name of a value in a guess. */
const GAP = /\b[A-Z]{2,}\b/;
/** A run by its id, or by a word for the last one. */
const RUN_ID = /^(?:last(?::.*)?|(?=.*\d)[\da-f-]+)$/i;

/** Fill the gaps of a guess with the words that follow; the others stay at its end. */
function fill(guess: string, { next = [], rest = [] }: UnknownWord): string {
  const others = [...rest];
  let text = guess;
  for (const word of next) {
    // "rm schedule ID": the guess already has it.
    if (!guess.split(" ").includes(word)) {
      const gap = text.includes("--at TIME") && isTime(word) ? "TIME" : GAP.exec(text)?.[0];
      if (gap === undefined) break;
      const isKind = gap === "ID" && /^(?:cancel|pause|resume|retry) /.test(text) &&
        !RUN_ID.test(word);
      text = text.replace(gap, () => `${isKind ? "last:" : ""}${makeVisible(shellWord(word))}`);
    }
    const at = others.indexOf(word);
    if (at >= 0) others.splice(at, 1);
  }
  return text + restText(others);
}

/**
 * The option that an unknown one probably means, by the names of other programs or by its letters;
 * undefined without a close one.
 *
 * @param names of the existing options
 * @param others names that it may misspell
 */
export function optionHint(
  name: string,
  names: readonly string[],
  others: readonly string[],
): string | undefined {
  const guess = guessOption(name, names);
  return guess === undefined
    ? didYouMean(name, [...names, ...others], "--")
    : `Did you mean "${guess}"?`;
}

function guessOption(name: string, names: readonly string[]): string | undefined {
  const guesses = Object.hasOwn(OPTION_GUESSES, name) ? OPTION_GUESSES[name]! : [];
  return guesses.find((guess) => {
    const [, long] = /^--([\w-]+)/.exec(guess) ?? [];
    return long === undefined ? names.includes("output") : names.includes(long);
  });
}
