import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { ReplicaMedium } from "./medium.ts";

/** How long an operation waits for the medium, in milliseconds. */
export const PATIENCE_MS = 4_500;

/** What could not be done, for a message. */
export function cannotReach({ location }: Pick<ReplicaMedium, "location">): string {
  return `Cannot reach ${location}`;
}

/** What an operation is told that waited for too long. */
export function unreachable(medium: Pick<ReplicaMedium, "location">): JobError {
  const text = `${cannotReach(medium)}: no answer in ${PATIENCE_MS / 1_000} s`;
  return new JobError("unavailable", text, {
    hint: "It is tried again; what was asked may have been done",
  });
}

/** What a medium threw, as the store's error: a medium of anybody may throw anything. */
export function reachError(thrown: unknown, action: string): JobError {
  if (isJobError(thrown)) return thrown;
  return new JobError("unavailable", `${action}: ${messageOf(thrown)}`, { cause: thrown });
}
