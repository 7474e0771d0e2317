import { formatDuration } from "../core/time/duration.ts";
import type { CommandSpec, JobDefinition, JobSchedule } from "../core/job/job.ts";
import { REBOOT, type ScheduleSpec } from "../core/time/schedule.ts";
import { formatScheduleText } from "../core/time/ticks.ts";
import { openZone } from "../core/time/zone.ts";
import { shellWord } from "../core/text/shell_word.ts";
import { type Dialect, DIALECT_RULES, type DialectRules } from "./import/dialect.ts";
import { isReadAlike } from "./import/line_schedule.ts";

/** Something that a crontab cannot express. */
export interface ExportNote {
  readonly kind: string;
  readonly text: string;
}

/** A configuration as a crontab. */
export interface CrontabExport {
  readonly text: string;
  /** True if each command has a user before it, as in /etc/cron.d. */
  readonly isSystem: boolean;
  readonly notes: readonly ExportNote[];
}

/** cron's own expression for a schedule; null without one. */
function cronText(spec: ScheduleSpec, dialect: Dialect): string | null {
  if (spec.cron === null) return null;
  if (spec.cron === REBOOT) return REBOOT;
  const text = spec.cron.replace(/^0 (?=(?:\S+ ){4}\S+$)/, "").replaceAll("?", "*");
  return isReadAlike(text, dialect) ? text : null;
}

/** Settings of a job that cron lacks, in words. */
function missing(job: JobDefinition, spec: ScheduleSpec, rules: DialectRules): string[] {
  const { options } = job;
  const overlap = rules.isOverlapping ? "allow" : "skip";
  const hasWindow = spec.startsAt !== undefined || spec.endsAt !== undefined ||
    spec.blackout !== undefined || spec.runsMax !== undefined;
  return [
    options.timeoutMs > 0 ? `timeout ${formatDuration(options.timeoutMs)}` : "",
    options.retry.max !== 0 ? "retries" : "",
    spec.overlap === overlap ? "" : `overlap "${spec.overlap}"`,
    spec.misfire === "skip" ? "" : `misfire "${spec.misfire}"`,
    rules.hasDelay || spec.jitterMs === 0 ? "" : `jitter ${formatDuration(spec.jitterMs)}`,
    hasWindow ? "start, end, blackout and number of runs" : "",
  ].filter((text) => text !== "");
}

/** A command as one line for /bin/sh; null if impossible. `note` receives losses. */
function commandLine(
  command: CommandSpec,
  schedule: JobSchedule,
  { dialect, note }: { readonly dialect: Dialect; readonly note: (text: string) => void },
): string | null {
  const { hasPercent, program } = DIALECT_RULES[dialect];
  const args = Array.isArray(schedule.arguments)
    ? schedule.arguments.map((value) => typeof value === "string" ? value : JSON.stringify(value))
    : [];
  if (!Array.isArray(schedule.arguments)) note("arguments by name are not carried over");
  if (command.parameters.length > 0) note("params and $JOB_ARG_… are not carried over");
  const { argv } = command;
  const isPlainLine = argv.length === 4 && argv[0] === "/bin/sh" && argv[1] === "-c" &&
    argv[3] === "jobctl" && args.length === 0;
  const line = isPlainLine ? argv[2]! : [...argv, ...args].map(shellWord).join(" ");
  const env = Object.entries(command.env).filter(([, value]) => !command.secrets.includes(value));
  if (env.length < Object.keys(command.env).length) {
    note("variables given by reference are left out: a crontab must not contain secrets");
  }
  if (command.group !== null) note(`group "${command.group}" is not carried over`);
  const whole = [
    env.length === 0
      ? ""
      : `export ${env.map(([name, value]) => `${name}=${shellWord(value)}`).join(" ")}; `,
    command.umask === null ? "" : `umask ${command.umask.toString(8).padStart(3, "0")}; `,
    command.cwd === null ? "" : `cd ${shellWord(command.cwd)} || exit 1; `,
    line,
  ].join("");
  if (/[\n\r]/.test(whole)) {
    note("left out: a crontab has no commands of several lines");
    return null;
  }
  if (dialect === "busybox" && whole.includes("#")) {
    note(`left out: ${program} cuts a line at "#"`);
    return null;
  }
  if (!hasPercent) {
    const { stdin } = command;
    const hasInput = stdin !== null && !("text" in stdin && stdin.text === "");
    if (hasInput) note(`standard input is not carried over: ${program} has none`);
    return whole;
  }
  // Cron pairs backslashes, so it cannot have a single one before an escaped percent sign.
  if (/(?<!\\)(?:\\\\)*\\%/.test(whole)) {
    note("left out: a crontab cannot have a backslash right before a percent sign");
    return null;
  }
  if (dialect === "debian" && whole.includes("\\\\")) {
    note(`${program} turns two backslashes into one`);
  }
  return whole.replaceAll("%", "\\%") + standardInput(command, note);
}

function standardInput(command: CommandSpec, note: (text: string) => void): string {
  const { stdin } = command;
  if (stdin === null) return "";
  if ("arg" in stdin) {
    note("standard input from an argument is not carried over");
    return "";
  }
  if (stdin.text === "") return "";
  if (/\\\n./s.test(stdin.text)) {
    note("standard input with a backslash at the end of a line is not carried over");
    return "";
  }
  if (!stdin.text.endsWith("\n")) note("standard input gets a newline at its end");
  return `%${stdin.text.replace(/\n$/, "").replaceAll("%", "\\%").replaceAll("\n", "%")}`;
}

class Exporter {
  readonly notes: ExportNote[] = [];
  readonly lines: string[] = [];
  readonly #timezone: string;
  readonly #isSystem: boolean;
  readonly #dialect: Dialect;
  readonly #rules: DialectRules;
  #zone: string;
  #delay = 0;

  constructor(timezone: string, isSystem: boolean, dialect: Dialect) {
    this.#timezone = timezone;
    this.#zone = timezone;
    this.#isSystem = isSystem;
    this.#dialect = dialect;
    this.#rules = DIALECT_RULES[dialect];
  }

  add(job: JobDefinition): void {
    const noted = new Set<string>();
    const note = (text: string) => {
      if (!noted.has(text)) this.notes.push({ kind: job.kind, text });
      noted.add(text);
    };
    if (job.schedules.length === 0) return;
    if (job.source.type !== "command") return note("left out: cron runs commands only");
    const { program, hasSystemCrontabs } = this.#rules;
    const { user: owner } = job.source.command;
    const lines: string[] = [];
    for (const schedule of job.schedules) {
      const { spec } = schedule;
      const when = cronText(spec, this.#dialect);
      if (when === null) {
        note(`left out: cron has no schedule like "${formatScheduleText(spec)}"`);
        continue;
      }
      if (!this.#hasZone(spec)) {
        note(
          `left out: ${program} has one time zone for all jobs, this one is in ${spec.timezone}`,
        );
        continue;
      }
      const command = commandLine(job.source.command, schedule, { dialect: this.#dialect, note });
      if (command === null) continue;
      if (owner !== null && !hasSystemCrontabs) {
        note(`user "${owner}" is not carried over: ${program} reads only users' crontabs`);
      }
      const lost = missing(job, spec, this.#rules);
      if (lost.length > 0) note(`cron has none of: ${lost.join(", ")}`);
      const user = this.#isSystem ? `${owner ?? "root"} ` : "";
      lines.push(...this.#settings(spec), `${when} ${user}${command}`);
    }
    if (lines.length === 0) return;
    const description = job.description.replaceAll(/\s+/g, " ");
    this.lines.push(`# ${job.kind}${description === "" ? "" : `: ${description}`}`, ...lines, "");
  }

  /** True if the daemon can run a schedule in its zone. @reboot has no zone. */
  #hasZone({ cron, timezone }: ScheduleSpec): boolean {
    // supercronic's CRON_TZ applies to the whole file.
    const canChange = this.#rules.hasZone && this.#rules.variables === "above";
    return canChange || cron === REBOOT || timezone === this.#timezone;
  }

  /** An assignment applies to all lines after it, so only changes are written. */
  #settings(spec: ScheduleSpec): string[] {
    const found: string[] = [];
    if (spec.timezone !== this.#zone && spec.cron !== REBOOT) {
      this.#zone = spec.timezone;
      found.push(`CRON_TZ=${spec.timezone === this.#timezone ? "" : spec.timezone}`);
    }
    const delay = Math.ceil(spec.jitterMs / 60_000);
    if (delay !== this.#delay && this.#rules.hasDelay) {
      this.#delay = delay;
      found.push(`RANDOM_DELAY=${delay}`);
    }
    return found;
  }
}

/**
 * The scheduled command jobs of a configuration as a crontab.
 *
 * @param options.timezone IANA zone of the host. Jobs in other zones get CRON_TZ, or are omitted if
 * the dialect lacks it
 * @param options.isSystem write a user before each command; by default if a job names one and the
 * dialect has such crontabs
 * @throws JobError `invalid_argument` for an unknown zone
 */
export function exportCrontab(
  jobs: readonly JobDefinition[],
  options: {
    readonly timezone: string;
    readonly dialect: Dialect;
    readonly isSystem?: boolean | undefined;
  },
): CrontabExport {
  const { dialect } = options;
  const hasUser = DIALECT_RULES[dialect].hasSystemCrontabs &&
    jobs.some(({ source }) => source.type === "command" && source.command.user !== null);
  const isSystem = options.isSystem ?? hasUser;
  const exporter = new Exporter(openZone(options.timezone).name, isSystem, dialect);
  for (const job of jobs) exporter.add(job);
  const text = ["SHELL=/bin/sh", "", ...exporter.lines].join("\n");
  return { text: text.endsWith("\n") ? text : `${text}\n`, isSystem, notes: exporter.notes };
}
