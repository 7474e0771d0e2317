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
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly successCodes?: readonly number[];
  readonly schedule: readonly string[];
  readonly timezone: string;
  readonly timeout?: string;
  readonly killAfter?: string;
  readonly jitter?: string;
  readonly overlap: "skip" | "allow";
  readonly misfire: "skip" | "latest";
}

/** Text as a string of TOML. */
function tomlString(text: string): string {
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
    ["env", hasEntries(job.env) ? inlineTable(job.env!) : undefined],
    ["stdin", job.stdin === undefined ? undefined : `{ text = ${tomlString(job.stdin)} }`],
    ["success_codes", job.successCodes && `[${job.successCodes.join(", ")}]`],
    ["timeout", job.timeout && tomlString(job.timeout)],
    ["kill_after", job.killAfter && tomlString(job.killAfter)],
    ["jitter", job.jitter && tomlString(job.jitter)],
    ["overlap", tomlString(job.overlap)],
    ["misfire", tomlString(job.misfire)],
  ];
  const lines = keys.filter(([, text]) => text).map(([name, text]) => `${name} = ${text}`);
  return [comment(job.origin), `[jobs.${tableName(job.kind)}]`, ...lines, ""].join("\n");
}

/** A whole file: comments, then the tables. */
export function writeFile(header: readonly string[], jobs: readonly JobDraft[]): string {
  return `${[header.map(comment).join("\n"), "", ...jobs.map(writeJob)].join("\n")}`;
}
