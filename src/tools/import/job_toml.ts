/** A command job to be written as a table of the configuration. */
export interface JobDraft {
  readonly kind: string;
  /** Where it comes from, for the comment above it. */
  readonly origin: string;
  readonly description?: string;
  /** A line for the shell; excludes `command`. */
  readonly run?: string;
  readonly command?: readonly string[];
  readonly shell?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly group?: string;
  readonly umask?: string;
  readonly nice?: number;
  readonly openFiles?: number;
  readonly ionice?: string;
  readonly envFiles?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly successCodes?: readonly number[];
  readonly schedule: readonly string[];
  readonly timezone: string;
  readonly overlap: "skip" | "allow";
  readonly misfire: "skip" | "latest";
  /** Absent where `misfire` is "skip", which makes up for nothing. */
  readonly misfireWithin?: string;
  readonly jitter: string;
  readonly timeout: string;
  readonly killAfter: string;
  /** True if processes that it starts in the background keep running. */
  readonly leavesChildren: boolean;
  /** True if at most one run is unfinished, whichever of its schedules started it. */
  readonly isUnique?: boolean;
  /** Why it is written with `enabled = false`; absent: it is not. */
  readonly disabledBecause?: string;
}

/** How a job behaves, as far as its table says so: the keys that others of the configuration could change. */
export type Behaviour = Pick<
  JobDraft,
  "overlap" | "misfire" | "misfireWithin" | "jitter" | "timeout" | "killAfter" | "leavesChildren"
>;

/** How cron runs a command: immediately, once, without a time limit, and without retries. */
export const CRON_BEHAVIOUR: Behaviour = {
  overlap: "allow",
  misfire: "skip",
  jitter: "0",
  timeout: "0",
  killAfter: "10s",
  leavesChildren: true,
};

/** For `misfireWithin`, where a run is made up for however long ago it was missed. */
export const MISSED_EVER = "3650d";

/** How systemd runs the service of a timer where its unit says nothing else. */
export const TIMER_BEHAVIOUR: Behaviour = {
  overlap: "skip",
  misfire: "skip",
  jitter: "0",
  timeout: "0",
  killAfter: "90s",
  leavesChildren: false,
};

/** Text as a string of TOML, which cannot have half of a surrogate pair. */
function tomlString(given: string): string {
  const text = given.toWellFormed();
  // deno-lint-ignore no-control-regex
  const isPlain = !/[\x00-\x1f\x7f]/.test(text);
  if (isPlain && /["\\]/.test(text) && !text.includes("'")) return `'${text}'`;
  return JSON.stringify(text).replaceAll("\x7f", "\\u007F");
}

/** Text of a key in which the configuration fills in variables: `${` is written so that it stays as it is. */
function expandedString(text: string): string {
  return tomlString(text.replaceAll("${", () => "$${"));
}

function tomlList(texts: readonly string[], write: (text: string) => string): string {
  return `[${texts.map(write).join(", ")}]`;
}

function inlineTable(table: Readonly<Record<string, string>>): string {
  const entries = Object.entries(table).map(([name, value]) =>
    `${name} = ${expandedString(value)}`
  );
  return `{ ${entries.join(", ")} }`;
}

function tableName(kind: string): string {
  return /^[A-Za-z0-9_-]+$/.test(kind) ? kind : tomlString(kind);
}

// A comment holds no control characters but the tab.
function comment(text: string): string {
  // deno-lint-ignore no-control-regex
  return `# ${text.replaceAll(/[\x00-\x08\x0a-\x1f\x7f]/g, "?")}`;
}

function hasEntries(table: Readonly<Record<string, string>> | undefined): boolean {
  return table !== undefined && Object.keys(table).length > 0;
}

/**
 * Keys of [defaults] that depend on no job. Cron and systemd run a command once, with any number of others, and never again
 * because of how it ended; what is kept of it is the product's own default.
 */
const FIXED: readonly (readonly [name: string, text: string])[] = [
  ["priority", "5"],
  ["deadline", '"0"'],
  ["retry", "0"],
  ["on_crash", '"terminate"'],
  ["on_drain", '"terminate"'],
  ["worker_slot", "false"],
  ["keep", '{ success = "7d", failure = "30d" }'],
  ["output", '{ size_max = "1MiB", lines_max = 10_000 }'],
];

/** The table of a job, with the line that it comes from above it. */
function writeJob(job: JobDraft): string {
  const { schedule } = job;
  const keys: (readonly [name: string, text: string | undefined])[] = [
    ["description", job.description && expandedString(job.description)],
    ["run", job.run && tomlString(job.run)],
    ["command", job.command && tomlList(job.command, tomlString)],
    ["shell", job.shell && tomlList(job.shell, expandedString)],
    [
      "schedule",
      schedule.length === 1
        ? tomlString(schedule[0]!)
        : schedule.length > 1
        ? tomlList(schedule, tomlString)
        : undefined,
    ],
    ["timezone", tomlString(job.timezone)],
    ["cwd", job.cwd && expandedString(job.cwd)],
    ["user", job.user && expandedString(job.user)],
    ["group", job.group && expandedString(job.group)],
    ["umask", job.umask && tomlString(job.umask)],
    ["nice", job.nice === undefined ? undefined : String(job.nice)],
    ["ionice", job.ionice && tomlString(job.ionice)],
    ["env_file", job.envFiles && tomlList(job.envFiles, expandedString)],
    ["limits", job.openFiles === undefined ? undefined : `{ open_files = ${job.openFiles} }`],
    ["env", hasEntries(job.env) ? inlineTable(job.env!) : undefined],
    ["stdin", job.stdin === undefined ? undefined : `{ text = ${tomlString(job.stdin)} }`],
    ["success_codes", job.successCodes && `[${job.successCodes.join(", ")}]`],
    ["overlap", tomlString(job.overlap)],
    ["misfire", tomlString(job.misfire)],
    ["misfire_within", job.misfireWithin && tomlString(job.misfireWithin)],
    ["jitter", tomlString(job.jitter)],
    ["timeout", tomlString(job.timeout)],
    ["kill_after", tomlString(job.killAfter)],
    ["leave_children", job.leavesChildren ? "true" : undefined],
    ["unique", job.isUnique ? tomlString("arguments") : undefined],
    ...FIXED,
  ];
  const lines = keys.filter(([, text]) => text).map(([name, text]) => `${name} = ${text}`);
  const off = job.disabledBecause === undefined
    ? []
    : [comment(`Disabled: ${job.disabledBecause}`), "enabled = false"];
  return [comment(job.origin), `[jobs.${tableName(job.kind)}]`, ...off, ...lines, ""].join("\n");
}

/** A whole file: comments, then the tables. */
export function writeFile(header: readonly string[], jobs: readonly JobDraft[]): string {
  return `${[header.map(comment).join("\n"), "", ...jobs.map(writeJob)].join("\n")}`;
}
