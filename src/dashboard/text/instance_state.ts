import type { JobInstance, JobState, KindCounts } from "../gen/api_types.ts";

/** Name of a state, and its mark: colors alone do not reach everybody. */
export const STATES: Readonly<
  Record<JobState, { readonly word: string; readonly mark: string; readonly tone: string }>
> = {
  created: { word: "Created", mark: "○", tone: "wait" },
  scheduled: { word: "Scheduled", mark: "○", tone: "wait" },
  processing: { word: "Running", mark: "◐", tone: "run" },
  completed: { word: "Completed", mark: "●", tone: "good" },
  terminated: { word: "Failed", mark: "✕", tone: "bad" },
  cancelled: { word: "Canceled", mark: "⊘", tone: "off" },
  timed_out: { word: "Timed out", mark: "!", tone: "late" },
};

/** The states that a filter offers, in the order of an instance's life. */
export const SHOWN_STATES: readonly JobState[] = [
  "scheduled",
  "processing",
  "completed",
  "terminated",
  "timed_out",
  "cancelled",
];

/** Number of instances of a job in a state. */
export function countIn(counts: KindCounts, state: JobState): number {
  const name = state === "cancelled" ? "canceled" : state;
  return name === "created" ? 0 : counts[name];
}

/** The states of instances that failed for good. */
export const FAILED: readonly JobState[] = ["terminated", "timed_out"];

/** True if an instance will not change any more. */
export function isFinished({ state }: JobInstance): boolean {
  return state !== "created" && state !== "scheduled" && state !== "processing";
}

/** End of an instance; undefined before. */
export function endOf(instance: JobInstance): string | undefined {
  return instance.completed_at ?? instance.terminated_at ?? instance.timed_out_at ??
    instance.canceled_at;
}

/**
 * The first characters of an id: its time, the counter of its daemon within the millisecond, and
 * random digits that distinguish daemons. `jobctl` and the search accept them as the id.
 */
export function shortId(id: string): string {
  return id.slice(0, 23);
}
