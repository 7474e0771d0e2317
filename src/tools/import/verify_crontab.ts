import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REBOOT, type ScheduleSpec } from "../../core/schedule.ts";
import { nextTickOf } from "../../core/ticks.ts";
import { loadProject } from "../load_project.ts";
import { cronieRuns, type Draw, readCronie } from "../cronie.ts";
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

/** Compare the runs of one line over the next {@link VERIFIED_DAYS} days. */
function checkLine(
  { line, job }: ImportedLine,
  written: { readonly spec: ScheduleSpec | undefined; readonly warning: string | null },
  nowMs: number,
): LineCheck {
  const { spec, warning } = written;
  const none = { cronCount: 0, ourCount: 0, differsAt: null, problem: null };
  const base = { line, kind: job.kind, warning, ...none };
  if (spec === undefined) return { ...base, problem: "the written job does not load" };
  if (line.schedule === REBOOT) {
    return spec.cron === REBOOT ? base : { ...base, problem: "it is no @reboot any more" };
  }
  const untilMs = nowMs + VERIFIED_DAYS * DAY_MS;
  const entry = readCronie(line.schedule, drawOf(line.schedule, spec.cron ?? ""));
  const cron = cronieRuns(entry, job.timezone, { afterMs: nowMs, untilMs });
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
      return checkLine(one, written, nowMs);
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
