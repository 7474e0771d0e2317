import { problemAt } from "../config/values/problems.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { matchesPattern } from "../core/job/job_scope.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { REBOOT } from "../core/time/schedule.ts";
import type { ChannelSettings } from "../core/notices/settings.ts";
import { formatDuration } from "../core/time/duration.ts";
import { nextTickOf } from "../core/time/ticks.ts";

/** Number of coming runs compared with `every`. */
const TICKS_MAX = 10;

/** Warnings about expectations of a job that contradict each other, or its other options. */
export function checkExpectations(job: JobDefinition, nowMs: number): ConfigProblem[] {
  const { kind, options: { timeoutMs, expect } } = job;
  const { minDurationMs: minMs, maxDurationMs: maxMs, everyMs } = expect;
  const warn = (key: string, message: string, hint: string): ConfigProblem => ({
    path: `jobs.${kind}.expect.${key}`,
    place: null,
    job: kind,
    message,
    hint,
  });
  const found: ConfigProblem[] = [];
  if (minMs > 0 && maxMs > 0 && minMs > maxMs) {
    const message = `it is longer than max_duration = "${formatDuration(maxMs)}"`;
    found.push(warn("min_duration", message, "No run can meet both: change one of them"));
  }
  if (maxMs > 0 && timeoutMs > 0 && maxMs >= timeoutMs) {
    const message = `the timeout ends an attempt sooner, after ${formatDuration(timeoutMs)}`;
    found.push(warn("max_duration", message, "Set a shorter max_duration, or a longer timeout"));
  }
  const gapMs = everyMs > 0 ? longestGap(job, nowMs) : null;
  if (gapMs !== null && gapMs > everyMs) {
    const message =
      `the schedule leaves ${formatDuration(gapMs)} between two runs, so the job is ` +
      "reported as missed although nothing is wrong";
    found.push(warn("every", message, "Make it longer than the time between two runs"));
  }
  return found;
}

/** The longest time between two of the next runs, in ms; null if fewer than two are planned. */
function longestGap({ schedules }: JobDefinition, nowMs: number): number | null {
  const all = schedules.filter(({ spec }) => spec.cron !== REBOOT).map(({ spec }) => {
    const ticks: number[] = [];
    let next = nextTickOf(spec, nowMs, nowMs);
    while (next !== null && ticks.length < TICKS_MAX) {
      ticks.push(next);
      next = nextTickOf(spec, nowMs, next);
    }
    return ticks;
  }).filter((ticks) => ticks.length > 0);
  // After that, one schedule's ticks are unknown.
  const end = Math.min(...all.map((ticks) => ticks.at(-1)!));
  const ticks = all.flat().filter((tick) => tick <= end).sort((a, b) => a - b);
  const gaps = ticks.slice(1).map((tick, index) => tick - ticks[index]!);
  return gaps.length === 0 ? null : Math.max(...gaps);
}

/**
 * Warnings about rules of a channel by which it reports less than it seems.
 *
 * @param kinds of all jobs, including disabled ones
 */
export function checkRules(
  { name, rules: { on, jobs } }: ChannelSettings,
  kinds: readonly string[],
): ConfigProblem[] {
  const found: ConfigProblem[] = [];
  for (const pattern of jobs) {
    if (pattern === "*" || kinds.some((kind) => matchesPattern(pattern, kind))) continue;
    const message = `no job matches "${pattern}"`;
    found.push(problemAt(null, `notices.${name}.jobs`, message, "Check its spelling"));
  }
  const hasBad = on.some((event) => event !== "recovered" && event !== "output");
  if (on.includes("recovered") && !hasBad) {
    const message =
      "only a channel that reported a problem sends recovered, and this one reports none";
    const hint = 'Add the events of the problem, such as "failed"';
    found.push(problemAt(null, `notices.${name}.on`, message, hint));
  }
  return found;
}
