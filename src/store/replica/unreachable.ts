import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { ReplicaMedium } from "./medium.ts";

/** How long an operation waits for the medium, in milliseconds. */
const PATIENCE_MS = 4_500;

/** How long it waits while the medium is known to be away: a request of several operations is answered in time too. */
const AWAY_MS = 500;

/** How long operations wait: less once one has waited in vain, until the medium answers anything. */
export class Patience {
  #isAway = false;

  get ms(): number {
    return this.#isAway ? AWAY_MS : PATIENCE_MS;
  }

  gaveUp(): void {
    this.#isAway = true;
  }

  answered(): void {
    this.#isAway = false;
  }
}

/** What could not be done, for a message. */
export function cannotReach({ location }: Pick<ReplicaMedium, "location">): string {
  return `Cannot reach ${location}`;
}

/** What an operation is told that waited for too long. */
export function unreachable(medium: Pick<ReplicaMedium, "location">): JobError {
  const text = `${cannotReach(medium)}: no answer in time`;
  return new JobError("unavailable", text, {
    hint: "It is tried again; what was asked may have been done",
  });
}

/** What a medium threw, as the store's error: a medium of anybody may throw anything. */
export function reachError(thrown: unknown, action: string): JobError {
  if (isJobError(thrown)) return thrown;
  return new JobError("unavailable", `${action}: ${messageOf(thrown)}`, { cause: thrown });
}
