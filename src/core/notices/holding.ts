import type { JobDefinition } from "../job/job.ts";
import { quietUntil } from "./quiet_time.ts";
import type { NoticeRules } from "./settings.ts";

/** What holds a notice back: something with an end, epoch ms, or the window of a digest. */
export type Hold =
  | { readonly why: "silence" | "quiet"; readonly until: number }
  | { readonly why: "digest"; readonly windowMs: number };

/**
 * What holds a notice of a channel back; null for nothing.
 *
 * @param rules those of the channel; undefined if it is gone
 * @param silence when the silences of the notice's subject end, epoch ms; null if it is in none
 */
export function holdOf(
  rules: Pick<NoticeRules, "quiet" | "digestMs"> | undefined,
  silence: number | null,
  { timezone, atMs }: { readonly timezone: string; readonly atMs: number },
): Hold | null {
  if (silence !== null) return { why: "silence", until: silence };
  if (rules === undefined) return null;
  const until = quietUntil(rules.quiet, timezone, atMs);
  if (until !== null) return { why: "quiet", until };
  return rules.digestMs === null ? null : { why: "digest", windowMs: rules.digestMs };
}

/** True if the window of a digest is running. @param until its end, epoch ms */
export function isRunning(until: number, windowMs: number, atMs: number): boolean {
  // A clock that was set back must not stretch it.
  return until > atMs && until <= atMs + windowMs;
}

/** The time zone of a job's silences: that of its first schedule, or else the configuration's. */
export function silenceZoneOf(
  { schedules }: Pick<JobDefinition, "schedules">,
  timezone: string,
): string {
  return schedules[0]?.spec.timezone ?? timezone;
}
