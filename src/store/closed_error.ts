import { JobError } from "../core/errors.ts";

/** The error of an operation on a store that is not open. */
export function closedError(action: string): JobError {
  return new JobError("unavailable", `Cannot ${action}: the store is not open`, {
    hint: "Start the manager first. If you use a store directly, open it first",
  });
}
