import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { ReplicaMedium } from "./medium.ts";

/** How long an operation waits for a medium that fails, in milliseconds: a request of two is answered within 5 s. */
const PATIENCE_MS = 4_000;
/** And for one that has said nothing: it may be slow since now, and what is given up done all the same. */
const SILENCE_MS = 15_000;
/** And how long at most, where answers take long. */
const PATIENCE_MS_MAX = 30_000;
/** It waits so many times as long as answers took of late. */
const ANSWER_SHARE = 3;

const WATCH_LAG_MS = 2_000;

/** How long it waits while the medium is known to be away: a request of several operations is answered in time too. */
const AWAY_MS = 500;

/**
 * How long operations wait: longer for a medium whose answers take long, as what is given up may be done all the same; less once
 * one has waited in vain, until the medium answers anything.
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
    const slowMs = Math.min(PATIENCE_MS_MAX, ANSWER_SHARE * answerMs);
    if (this.#isAway) return AWAY_MS;
    return Math.max(this.#hasFailed ? PATIENCE_MS : SILENCE_MS, slowMs);
  }

  /** How long a commit of another owner may be known and not told before everything is loaded again. */
  get lagMs(): number {
    return Math.max(WATCH_LAG_MS, this.#medium.answerMs ?? 0);
  }

  gaveUp(): void {
    this.#isAway = true;
  }

  failed(): void {
    this.#hasFailed = true;
  }

  answered(): void {
    this.#hasFailed = false;
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
