import { snakeCase } from "../../core/text/snake_case.ts";

/** A command job in the form of a table of the configuration. */
export interface JobDraft extends DraftKeys {
  readonly kind: string;
  /** Its origin; the comment above the table. */
  readonly origin: string;
  /** The reason for `enabled = false`; absent if the job is enabled. */
  readonly disabledBecause?: string | undefined;
  /** A key written as a comment. */
  readonly commented?: string | undefined;
}

/** The keys of its table, in camel case. Every key that [defaults] could change is required. */
interface DraftKeys {
  readonly description?: string | undefined;
  /** A line for the shell; excludes `command`. */
  readonly run?: string;
  readonly command?: readonly string[];
  readonly shell?: readonly string[] | undefined;
  readonly schedule: readonly string[];
  readonly timezone: string;
  readonly cwd?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly umask?: string;
  readonly nice?: number | undefined;
  readonly ionice?: string | undefined;
  readonly envFile?: readonly string[];
  readonly limits?: { readonly open_files: number } | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: { readonly text: string } | undefined;
  readonly successCodes?: readonly number[] | undefined;
  readonly overlap: "skip" | "allow";
  readonly misfire: "skip" | "latest";
  /** Absent if `misfire` is "skip", which never makes up for runs. */
  readonly misfireWithin?: string | undefined;
  readonly jitter: string;
  readonly timeout: string;
  readonly killAfter: string;
  /** True if processes that it starts in the background keep running. */
  readonly leaveChildren: boolean;
  /** Set if only one run may be unfinished, for any schedule. */
  readonly unique?: "arguments" | undefined;
  readonly notify?: readonly string[] | undefined;
}

/** The keys in the order of a table; true if the configuration expands variables in their texts. */
const KEYS: Readonly<Record<keyof DraftKeys, boolean>> = {
  description: true,
  run: false,
  command: false,
  shell: true,
  schedule: false,
  timezone: false,
  cwd: true,
  user: true,
  group: true,
  umask: false,
  nice: false,
  ionice: false,
  envFile: true,
  limits: false,
  env: true,
  stdin: false,
  successCodes: false,
  overlap: false,
  misfire: false,
  misfireWithin: false,
  jitter: false,
  timeout: false,
  killAfter: false,
  leaveChildren: false,
  unique: false,
  notify: false,
};

/** `misfireWithin` of a job whose missed runs are made up for at any age. */
export const MISSED_EVER = "3650d";

/** Text as a string of TOML. TOML allows no unpaired surrogates. */
function tomlString(given: string): string {
  const text = given.toWellFormed();
  // deno-lint-ignore no-control-regex
  const isPlain = !/[\x00-\x1f\x7f]/.test(text);
  if (isPlain && /["\\]/.test(text) && !text.includes("'")) return `'${text}'`;
  return JSON.stringify(text).replaceAll("\x7f", "\\u007F");
}

/** @param isExpanded true if `${` has to be escaped, because variables are expanded */
function tomlValue(value: unknown, isExpanded: boolean): string {
  if (typeof value === "string") {
    return tomlString(isExpanded ? value.replaceAll("${", () => "$${") : value);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => tomlValue(item, isExpanded)).join(", ")}]`;
  }
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value)
    .map(([name, member]) => `${name} = ${tomlValue(member, isExpanded)}`);
  return `{ ${entries.join(", ")} }`;
}

function tableName(kind: string): string {
  return /^[A-Za-z0-9_-]+$/.test(kind) ? kind : tomlString(kind);
}

// The tab is the only control character allowed in a comment.
function comment(text: string): string {
  // deno-lint-ignore no-control-regex
  return `# ${text.replaceAll(/[\x00-\x08\x0a-\x1f\x7f]/g, "?")}`;
}

/**
 * Keys that are the same for every job and that [defaults] could change. Cron and systemd run a
 * command once, beside any number of others, and never repeat it. Retention is the product's
 * default. Notices are left to [defaults], except for cron's mail: they do not change how a job
 * runs, and an imported job must not fail unnoticed.
 */
const FIXED = [
  "priority = 5",
  'deadline = "0"',
  "retry = 0",
  'on_crash = "terminate"',
  'on_drain = "terminate"',
  "worker_slot = false",
  'keep = { success = "7d", failure = "30d" }',
  'output = { size_max = "1MiB", lines_max = 10_000 }',
];

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "" || value === false;
}

/** The table of a job, below its original line. */
function writeJob(job: JobDraft): string {
  const { kind, origin, disabledBecause, commented, schedule } = job;
  const keys = { ...job, schedule: schedule.length === 1 ? schedule[0] : schedule };
  const lines = (Object.keys(KEYS) as (keyof DraftKeys)[]).filter((key) => !isEmpty(keys[key]))
    .map((key) => `${snakeCase(key)} = ${tomlValue(keys[key], KEYS[key])}`);
  const off = disabledBecause === undefined
    ? []
    : [comment(`Disabled: ${disabledBecause}`), "enabled = false"];
  const last = commented === undefined ? FIXED : [...FIXED, comment(commented)];
  return [comment(origin), `[jobs.${tableName(kind)}]`, ...off, ...lines, ...last, ""].join("\n");
}

/** Tables of other things than jobs. */
export interface OtherTables {
  readonly comments: readonly string[];
  /** The lines of each table. */
  readonly tables: readonly (readonly string[])[];
  /** True if they are written as comments. */
  readonly isOff: boolean;
}

/** A whole file: comments, other tables, then the jobs' tables. */
export function writeFile(
  header: readonly string[],
  jobs: readonly JobDraft[],
  others: OtherTables = { comments: [], tables: [], isOff: false },
): string {
  const tables = others.tables.map((lines) =>
    [...lines.map((line) => others.isOff ? comment(line) : line), ""].join("\n")
  );
  const above = tables.length === 0 ? [] : [others.comments.map(comment).join("\n"), ...tables];
  return [header.map(comment).join("\n"), "", ...above, ...jobs.map(writeJob)].join("\n");
}
