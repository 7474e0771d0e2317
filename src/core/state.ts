/** Every state. */
export const JOB_STATES = [
  "created",
  "scheduled",
  "processing",
  "completed",
  "terminated",
  "canceled",
  "timedOut",
] as const;

/** State of an instance; go-job's states, spelled our way. */
export type JobState = typeof JOB_STATES[number];

/**
 * A state in any accepted spelling: the library's, the CLI's, go-job's, JSON's, TOML's, or an
 * everyday word.
 */
export type StateName =
  | JobState
  | Capitalize<JobState>
  | "cancelled"
  | "Cancelled"
  | "timed_out"
  | "waiting"
  | "queued"
  | "running"
  | "done"
  | "succeeded"
  | "failed";

const STATE_OF_LETTERS: ReadonlyMap<string, JobState> = new Map([
  ...JOB_STATES.map((state) => [state.toLowerCase(), state] as const),
  ["cancelled", "canceled"],
  ["waiting", "scheduled"],
  ["queued", "scheduled"],
  ["running", "processing"],
  ["done", "completed"],
  ["succeeded", "completed"],
  ["failed", "terminated"],
]);

/** The state of a name or an everyday word in any case, with any separators; null if unknown. */
export function parseState(name: string): JobState | null {
  const letters = name.toLowerCase().replace(/^job_state_/, "").replace(/[-_ ]/g, "");
  return STATE_OF_LETTERS.get(letters) ?? null;
}

const WORDS: Readonly<Record<JobState, string>> = {
  created: "created",
  scheduled: "waiting",
  processing: "running",
  completed: "done",
  terminated: "failed",
  canceled: "canceled",
  timedOut: "failed",
};

/** A state in an everyday word, which {@link parseState} reads, too. */
export function stateWord(state: JobState): string {
  return WORDS[state];
}

/** States that an instance leaves only by deletion. */
export const FINAL_STATES = ["completed", "terminated", "canceled", "timedOut"] as const;

/** One of {@link FINAL_STATES}. */
export type FinalState = typeof FINAL_STATES[number];

const NEXT: Readonly<Record<JobState, readonly JobState[]>> = {
  created: ["scheduled", "canceled"],
  // A missed tick, a replaced instance or a passed deadline ends without an attempt.
  scheduled: ["processing", "canceled", "terminated", "timedOut"],
  // Back to "scheduled" is a retry, a release at drain, or a rescue after a lost lease.
  processing: ["scheduled", "completed", "terminated", "canceled", "timedOut"],
  completed: [],
  terminated: [],
  canceled: [],
  timedOut: [],
};

/** States of an instance that failed for good: a dead letter until it is run again. */
const DEAD_STATES: readonly FinalState[] = ["terminated", "timedOut"];

/** True if an instance in `state` failed for good. */
export function isDeadState(state: JobState): boolean {
  return DEAD_STATES.some((dead) => dead === state);
}

/** True if an instance in `state` will never run again. */
export function isFinal(state: JobState): state is FinalState {
  return NEXT[state].length === 0;
}

/** True if the state machine has the arrow `from` → `to`. */
export function canFollow(from: JobState, to: JobState): boolean {
  return NEXT[from].includes(to);
}
