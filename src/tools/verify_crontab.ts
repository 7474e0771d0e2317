import { JOB_OPTIONS } from "../core/job/options.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type ChannelSettings, isMail } from "../core/notices/settings.ts";
import type { JobTable } from "../core/job/job_table.ts";
import { REBOOT } from "../core/time/schedule.ts";
import { nextTickOf } from "../core/time/ticks.ts";
import { loadProject } from "./load_project.ts";
import { cronieRuns, type Draw, readCronie, type Span, wallRuns } from "./import/cronie.ts";
import { readBusyboxSchedule } from "./import/busybox_fields.ts";
import { readDebianFields } from "./import/debian_fields.ts";
import type { Dialect } from "./import/dialect.ts";
import type { CrontabLine } from "./import/crontab_reader.ts";
import type { ImportedLine, ImportResult } from "./import/import_crontab.ts";
import type { JobDraft } from "./import/job_toml.ts";

/** Days over which runs are compared. */
export const VERIFIED_DAYS = 366;
const DAY_MS = 86_400_000;

/** A comparison of the runs of one line: by cron's rules, and of the written job. */
export interface LineCheck {
  readonly line: CrontabLine;
  readonly kind: string;
  /** Runs by cron's rules. */
  readonly cronCount: number;
  readonly ourCount: number;
  /** The first instant that only one of them has, epoch ms; null if equal. */
  readonly differsAt: number | null;
  /** Why the job does not behave like the line; null without a known problem. */
  readonly problem: string | null;
  /** Why the runs were not compared: cron's rules are not implemented twice; null if they were. */
  readonly notCompared: string | null;
  /** Why the job would not run on this host, such as a missing user; null if it runs. */
  readonly warning: string | null;
}

/** Returns for each `~`, in order, the value that we picked. Cron picks anew at each start. */
function drawOf(text: string, ours: string): Draw {
  const items = (line: string) => line.split(" ").flatMap((field) => field.split(","));
  const picked = items(ours);
  const picks = items(text).map((item, place) => item.includes("~") ? Number(picked[place]) : NaN)
    .filter((pick) => !Number.isNaN(pick));
  return (_field, low, high) => {
    const pick = picks.shift() ?? low;
    // Out of range, any other value rightly makes the comparison fail.
    return pick >= low && pick <= high ? pick : low;
  };
}

function compareRuns(cron: readonly number[], ours: readonly number[]): number | null {
  const length = Math.max(cron.length, ours.length);
  for (let index = 0; index < length; index++) {
    const [a, b] = [cron[index], ours[index]];
    if (a !== b) return Math.min(a ?? Infinity, b ?? Infinity);
  }
  return null;
}

/** Runs of a line, by the rules of its daemon. */
function daemonRuns(
  line: CrontabLine,
  dialect: Dialect,
  ours: { readonly cron: string; readonly timezone: string },
  span: Span,
): number[] {
  const { fields } = line;
  if (dialect === "busybox") {
    return wallRuns(readBusyboxSchedule(fields).entry, ours.timezone, span);
  }
  const text = dialect === "debian" ? readDebianFields(fields) : fields;
  return cronieRuns(readCronie(text, drawOf(text, ours.cron)), ours.timezone, span);
}

function whyNotCompared(line: CrontabLine, dialect: Dialect): string | null {
  if (line.anacronId !== undefined) return "anacron keeps days, not times";
  return dialect === "supercronic" && line.schedule !== REBOOT
    ? "there is no separate implementation of supercronic's rules"
    : null;
}

/**
 * Options without an effect on a job without steps that is neither taken over nor retried, and
 * options that do not change how it runs: the operator's [defaults] decide its notices.
 */
const WITHOUT_EFFECT = /^(?:crashes_max|retry\.(?!max).*|on_change|notify|silence|expect\..*)$/;

/**
 * A job's differences from cron, and its settings left to [defaults]; null without either.
 *
 * @param job the behavior under its dialect
 */
function behaviorProblem(table: JobTable, job: JobDraft): string | null {
  const cron: Readonly<Record<string, unknown>> = {
    overlap: job.overlap,
    misfire: job.misfire,
    misfire_within: job.misfireWithin,
    jitter: job.jitter,
    timeout: "0",
    deadline: "0",
    kill_after: job.killAfter,
    "retry.max": 0,
    on_crash: "terminate",
    on_drain: "terminate",
    worker_slot: false,
  };
  for (const [name, option] of Object.entries(JOB_OPTIONS)) {
    const isChecked = option.isInherited || name in cron;
    if (!isChecked || WITHOUT_EFFECT.test(name)) continue;
    // It has no effect without making up for missed runs.
    if (name === "misfire_within" && job.misfireWithin === undefined) continue;
    const found = option.option === undefined
      ? valueAt(table.scheduleSettings, option.schedule!)
      : valueAt(table.options, option.option);
    if (found === undefined) return `${name} is left to [defaults]`;
    const wanted = option.value.parse((cron[name] ?? option.initial) as never, name);
    if (found !== wanted) return differs(name, found, wanted);
  }
  const umask = table.command?.umask?.toString(8).padStart(3, "0");
  if (umask !== job.umask) return differs("umask", umask, job.umask);
  const leaves = table.command?.leavesChildren ?? false;
  return leaves ? null : differs("leave_children", leaves, true);
}

/** Why the output of a job is not mailed like its line's; null without a difference. */
function mailProblemOf(
  { mail }: ImportedLine,
  { options }: JobTable,
  channels: readonly ChannelSettings[],
): string | null {
  const named = channels.filter(({ name }) => options.notify?.includes(name));
  const wanted = mail && { ...mail, transport: "sendmail" };
  const found = named.filter(({ rules }) => rules.on.includes("output"))
    .map(({ name: channel, target }) => {
      if (!isMail(target)) return null;
      const { recipients, from, style, transport } = target;
      return { recipients, from, style, channel, transport: transport.type };
    });
  if (isDeepStrictEqual(found, wanted === null ? [] : [wanted])) return null;
  return mail === null
    ? "its output is mailed, cron mails none"
    : `its output is not mailed to ${mail.recipients.join(", ")} as cron does`;
}

function differs(key: string, found: unknown, wanted: unknown): string {
  return `${key} is ${JSON.stringify(found)}, cron behaves as with ${JSON.stringify(wanted)}`;
}

function valueAt(base: unknown, path: string): unknown {
  return path.split(".").reduce<any>((value, key) => value?.[key], base);
}

/** Compare the runs of one line over the next {@link VERIFIED_DAYS} days. */
function checkLine(
  { line, job }: ImportedLine,
  written: {
    readonly table: JobTable | undefined;
    readonly mailProblem: string | null;
    readonly warning: string | null;
  },
  at: { readonly nowMs: number; readonly dialect: Dialect },
): LineCheck {
  const { table, warning } = written;
  const spec = table?.schedules[0];
  const { nowMs, dialect } = at;
  const notCompared = whyNotCompared(line, dialect);
  const none = { cronCount: 0, ourCount: 0, differsAt: null, problem: null, notCompared };
  const base = { line, kind: job.kind, warning, ...none };
  if (table === undefined || spec === undefined) {
    return { ...base, problem: "the written job does not load" };
  }
  const problem = behaviorProblem(table, job) ?? written.mailProblem;
  if (problem !== null) return { ...base, problem };
  if (notCompared !== null) return base;
  if (line.schedule === REBOOT) {
    return spec.cron === REBOOT ? base : { ...base, problem: "it is no longer @reboot" };
  }
  const untilMs = nowMs + VERIFIED_DAYS * DAY_MS;
  const own = { cron: spec.cron ?? "", timezone: job.timezone };
  const cron = daemonRuns(line, dialect, own, { afterMs: nowMs, untilMs });
  const ours: number[] = [];
  for (
    let at = nextTickOf(spec, nowMs, nowMs);
    at !== null && at <= untilMs;
    at = nextTickOf(spec, nowMs, at)
  ) ours.push(at);
  return {
    ...base,
    cronCount: cron.length,
    ourCount: ours.length,
    differsAt: compareRuns(cron, ours),
  };
}

/**
 * Check for each imported line that its written job runs when cron would. The file is loaded as a
 * daemon loads it.
 *
 * @throws ConfigError if the file as a whole does not load
 */
export async function verifyCrontab(result: ImportResult, nowMs: number): Promise<LineCheck[]> {
  const directory = mkdtempSync(join(tmpdir(), "jobctl-verify-"));
  try {
    const file = join(directory, "imported.toml");
    writeFileSync(file, result.toml, { mode: 0o600 });
    const { config, problems } = await loadProject(file, { env: {}, nowMs });
    const tables = new Map(config.jobs.map((table) => [table.kind, table]));
    const warnings = new Map(problems.map(({ job, message }) => [job, message]));
    return result.imported.map((one) => {
      const { kind } = one.job;
      const table = tables.get(kind);
      const mailProblem = result.hasMail && table
        ? mailProblemOf(one, table, config.notices)
        : null;
      const written = { table, mailProblem, warning: warnings.get(kind) ?? null };
      return checkLine(one, written, { nowMs, dialect: result.dialect });
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
