/** A command job that is written as a table of the configuration. */
export interface JobDraft {
  readonly kind: string;
  /** Where it comes from; the comment above the table. */
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
  /** Absent if `misfire` is "skip", which makes up for nothing. */
  readonly misfireWithin?: string;
  readonly jitter: string;
  readonly timeout: string;
  readonly killAfter: string;
  /** True if processes that it starts in the background keep running. */
  readonly leavesChildren: boolean;
  /** True if only one run may be unfinished, whichever schedule started it. */
  readonly isUnique?: boolean;
  /** The reason for `enabled = false`; absent if the job is enabled. */
  readonly disabledBecause?: string;
}

/** The keys of a job's behaviour. Each table has them, so that [defaults] cannot change the job. */
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

/** `misfireWithin` of a job whose missed runs are made up for, however long ago they were. */
export const MISSED_EVER = "3650d";

/** How systemd runs the service of a timer by default. */
export const TIMER_BEHAVIOUR: Behaviour = {
  overlap: "skip",
  misfire: "skip",
  jitter: "0",
  timeout: "0",
  killAfter: "90s",
  leavesChildren: false,
};

/** Text as a string of TOML. TOML allows no unpaired surrogates. */
function tomlString(given: string): string {
  const text = given.toWellFormed();
  // deno-lint-ignore no-control-regex
  const isPlain = !/[\x00-\x1f\x7f]/.test(text);
  if (isPlain && /["\\]/.test(text) && !text.includes("'")) return `'${text}'`;
  return JSON.stringify(text).replaceAll("\x7f", "\\u007F");
}

/** Text of a key in which the configuration expands variables; `${` is escaped. */
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

// The only control character that a comment may have is the tab.
function comment(text: string): string {
  // deno-lint-ignore no-control-regex
  return `# ${text.replaceAll(/[\x00-\x08\x0a-\x1f\x7f]/g, "?")}`;
}

function hasEntries(table: Readonly<Record<string, string>> | undefined): boolean {
  return table !== undefined && Object.keys(table).length > 0;
}

/**
 * Values that are the same for every job and that [defaults] could change. Cron and systemd run a
 * command once, beside any number of others, and do not repeat it whatever its outcome. Retention
 * is the product's default.
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
