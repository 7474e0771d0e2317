import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REBOOT, type ScheduleSpec } from "../../core/schedule.ts";
import { nextTickOf } from "../../core/ticks.ts";
import { loadProject } from "../load_project.ts";
import { cronieRuns, type Draw, readCronie, wallRuns } from "../cronie.ts";
import { readBusyboxSchedule } from "./busybox_fields.ts";
import { readDebianFields } from "./debian_fields.ts";
import type { Dialect } from "./dialect.ts";
import type { CrontabLine } from "./crontab_reader.ts";
import type { ImportedLine, ImportResult } from "./import_crontab.ts";

/** Days over which runs are compared. */
export const VERIFIED_DAYS = 366;
const DAY_MS = 86_400_000;

/** How the runs of one line compare: cron's by its own rules, ours by the written job. */
export interface LineCheck {
  readonly line: CrontabLine;
  readonly kind: string;
  /** Runs by cron's rules. */
  readonly cronCount: number;
  readonly ourCount: number;
  /** The first instant that only one of them has, epoch ms; null when all are the same. */
  readonly differsAt: number | null;
  /** Null when it was compared; else why there is nothing to compare. */
  readonly problem: string | null;
  /** Why the runs were not computed a second time: there is nothing to do it by; null when they were. */
  readonly notCompared: string | null;
  /** Why the job would not run on this host, such as a user that is not there; null when it would. */
  readonly warning: string | null;
}

/** For each `~` of cron's text, in its order, what we picked; cron's own draw is another at each start. */
function drawOf(text: string, ours: string): Draw {
  const items = (line: string) => line.split(" ").flatMap((field) => field.split(","));
  const picked = items(ours);
  const picks = items(text).map((item, place) => item.includes("~") ? Number(picked[place]) : NaN)
    .filter((pick) => !Number.isNaN(pick));
  return (_field, low, high) => {
    const pick = picks.shift() ?? low;
    // Outside of the range any other value makes the comparison fail, as it should.
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

/** Runs of a line by the rules of its daemon. */
function daemonRuns(
  line: CrontabLine,
  dialect: Dialect,
  ours: { readonly cron: string; readonly timezone: string },
  span: { readonly afterMs: number; readonly untilMs: number },
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
    ? "supercronic's rules are not written down apart from ours"
    : null;
}

/** Compare the runs of one line over the next {@link VERIFIED_DAYS} days. */
function checkLine(
  { line, job }: ImportedLine,
  written: { readonly spec: ScheduleSpec | undefined; readonly warning: string | null },
  at: { readonly nowMs: number; readonly dialect: Dialect },
): LineCheck {
  const { spec, warning } = written;
  const { nowMs, dialect } = at;
  const notCompared = whyNotCompared(line, dialect);
  const none = { cronCount: 0, ourCount: 0, differsAt: null, problem: null, notCompared };
  const base = { line, kind: job.kind, warning, ...none };
  if (spec === undefined) return { ...base, problem: "the written job does not load" };
  if (notCompared !== null) return base;
  if (line.schedule === REBOOT) {
    return spec.cron === REBOOT ? base : { ...base, problem: "it is no @reboot any more" };
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
 * Prove for each imported line that the written jobs run when cron would run it: the file is loaded as a daemon loads it.
 *
 * @throws ConfigError when the file as a whole does not load
 */
export async function verifyCrontab(result: ImportResult, nowMs: number): Promise<LineCheck[]> {
  const directory = mkdtempSync(join(tmpdir(), "jobctl-verify-"));
  try {
    const file = join(directory, "imported.toml");
    writeFileSync(file, result.toml, { mode: 0o600 });
    const { config, problems } = await loadProject(file, { env: {}, nowMs });
    const specs = new Map(config.jobs.map(({ kind, schedules }) => [kind, schedules[0]]));
    const warnings = new Map(problems.map(({ job, message }) => [job, message]));
    return result.imported.map((one) => {
      const { kind } = one.job;
      const written = { spec: specs.get(kind), warning: warnings.get(kind) ?? null };
      return checkLine(one, written, { nowMs, dialect: result.dialect });
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
