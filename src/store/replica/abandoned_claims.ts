import { finishAttempt } from "../ledger/operations/settle.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { ClaimKey } from "../store.ts";
import type { Flight } from "./flight.ts";
import { type Head, isCommitOf } from "./head.ts";
import type { ReplicaTables } from "./tables.ts";
import { readInstance } from "./row_values.ts";

/** Commits that are remembered: whichever is made at last is one of the newest. */
const COMMITS_MAX = 64;

interface Abandoned {
  readonly number: number;
  readonly version: number;
  readonly claims: readonly ClaimKey[];
}

/**
 * Claims of commits that were given up because the medium did not answer. Such a commit may be made all the same, and nobody runs
 * what it claimed: it is given back then, as otherwise each would wait for the end of its lease and count as a crash.
 */
export class AbandonedClaims {
  readonly #writer: string;
  #commits: Abandoned[] = [];
  #made: ClaimKey[] = [];

  /** @param writer who makes the commits */
  constructor(writer: string) {
    this.#writer = writer;
  }

  /** A commit is given up. @param tables without what it changed */
  note({ commit, number }: Flight, tables: ReplicaTables): void {
    const claims: ClaimKey[] = [];
    for (const [key, text] of commit?.puts ?? []) {
      if (!key.startsWith("i/")) continue;
      const { id, fence, state } = readInstance(text).instance;
      const isNew = tables.instances.get(id)?.instance.fence !== fence;
      if (state === "processing" && isNew) claims.push({ id, fence });
    }
    if (claims.length === 0) return;
    this.#commits.push({ number, version: commit!.next, claims });
    if (this.#commits.length > COMMITS_MAX) this.#commits.shift();
  }

  /** Some could not be given back: they are told again. */
  keep(claims: readonly ClaimKey[]): void {
    this.#made.push(...claims);
  }

  /**
   * What is to be given back, as the store has reached a version. This writer commits nothing after a version that it does not
   * know, so its last commit in the head tells of each that was given up whether it was made.
   */
  take(version: number, head: Head): readonly ClaimKey[] {
    if (this.#commits.length === 0 && this.#made.length === 0) return [];
    const made = this.#made;
    this.#made = [];
    for (const one of this.#commits) {
      if (isCommitOf(head, this.#writer, one)) made.push(...one.claims);
    }
    this.#commits = this.#commits.filter((one) => one.version > version);
    return made;
  }
}

/** Release claims that nobody began to run: the instances are as they were before. */
export function releaseClaims(
  state: LedgerState,
  moment: Moment,
  claims: readonly ClaimKey[],
): void {
  for (const claim of claims) {
    const lease = state.heldLease(claim);
    if (!lease) continue;
    const { dueAt } = lease.row.instance;
    finishAttempt(state, moment, lease.row, {
      outcome: { type: "release", dueAt, isUnstarted: true },
    });
  }
}
