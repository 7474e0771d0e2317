import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { ReplicaMedium } from "./medium.ts";

/** Time limit of an operation on a failing medium, in milliseconds: two fail in 5 s. */
const PATIENCE_MS = 4_000;
/** The same for a medium that has not failed: an abandoned commit may still be made. */
const SILENCE_MS = 15_000;
/** The longest wait, where calls take long. */
const PATIENCE_MS_MAX = 30_000;
/** Factor from recent call times to an operation's wait. */
const CALL_SHARE = 3;

const WATCH_LAG_MS = 2_000;

/** The same while the medium is known to be away, so that several operations fail in time too. */
const AWAY_MS = 500;

/**
 * Patience of operations: longer for a slow medium, because a commit that was given up may still be
 * made; shorter once a wait has failed, until the medium responds again.
 */
export class Patience {
  readonly #medium: Pick<ReplicaMedium, "answerMs">;
  #isAway = false;
  #hasFailed = false;

  constructor(medium: Pick<ReplicaMedium, "answerMs">) {
    this.#medium = medium;
  }

  get ms(): number {
    const { answerMs = 0 } = this.#medium;
    const slowMs = Math.min(PATIENCE_MS_MAX, CALL_SHARE * answerMs);
    if (this.#isAway) return AWAY_MS;
    return Math.max(this.#hasFailed ? PATIENCE_MS : SILENCE_MS, slowMs);
  }

  /** Time for which another owner's known commit may stay unreported before a reload. */
  get lagMs(): number {
    return Math.max(WATCH_LAG_MS, this.#medium.answerMs ?? 0);
  }

  gaveUp(): void {
    this.#isAway = true;
  }

  failed(): void {
    this.#hasFailed = true;
  }

  responded(): void {
    this.#hasFailed = false;
    this.#isAway = false;
  }
}

/** The failed action, for a message. */
export function cannotReach({ location }: Pick<ReplicaMedium, "location">): string {
  return `Cannot reach ${location}`;
}

/** The error of an operation that has waited too long. */
export function unreachable(medium: Pick<ReplicaMedium, "location">): JobError {
  const text = `${cannotReach(medium)}: no result in time`;
  return new JobError("unavailable", text, {
    hint: "It is being retried; the request may have been carried out",
  });
}

/** An error of a medium, which may be anything, as the store's error. */
export function reachError(thrown: unknown, action: string): JobError {
  if (isJobError(thrown)) return thrown;
  return new JobError("unavailable", `${action}: ${messageOf(thrown)}`, { cause: thrown });
}
