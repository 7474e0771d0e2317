import type { JobDefinition } from "../job/job.ts";
import { quietUntil } from "./quiet_time.ts";
import type { NoticeRules } from "./settings.ts";

/** Reason for holding a notice back: something with an end, epoch ms, or the window of a digest. */
export type Hold =
  | { readonly why: "silence" | "quiet"; readonly until: number }
  | { readonly why: "digest"; readonly windowMs: number };

/**
 * The reason for holding a channel's notice back; null to send it.
 *
 * @param rules of the channel; undefined if it is gone
 * @param silence end of the silences of the notice's subject, epoch ms; null outside of them
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
  // A clock that was set back must not lengthen it.
  return until > atMs && until <= atMs + windowMs;
}

/** The time zone of a job's silences: its first schedule's, or else the configuration's. */
export function silenceZoneOf(
  { schedules }: Pick<JobDefinition, "schedules">,
  timezone: string,
): string {
  return schedules[0]?.spec.timezone ?? timezone;
}
