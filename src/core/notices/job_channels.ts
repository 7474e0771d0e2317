import { matchesPattern } from "../job/job_scope.ts";
import { MATCHING_CHANNELS } from "./settings.ts";

/** A job, and its named channels; undefined for all whose patterns match it. */
export interface NotifyingJob {
  readonly kind: string;
  readonly notify: readonly string[] | undefined;
}

/** True if a channel may report a job, for any event. @param jobs the channel's patterns */
export function isChannelOf(
  { kind, notify = [MATCHING_CHANNELS] }: NotifyingJob,
  { name, jobs }: { readonly name: string; readonly jobs: readonly string[] },
): boolean {
  return notify.includes(name) ||
    notify.includes(MATCHING_CHANNELS) && jobs.some((pattern) => matchesPattern(pattern, kind));
}
