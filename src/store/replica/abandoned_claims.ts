import { finishAttempt } from "../ledger/operations/settle.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { ClaimKey } from "../store.ts";
import type { Flight } from "./flight.ts";
import { type Head, isCommitOf } from "./head.ts";
import type { ReplicaTables } from "./tables.ts";
import { readInstance } from "./row_values.ts";

/** Most remembered commits: a late one is among the newest. */
const COMMITS_MAX = 64;

interface Abandoned {
  readonly number: number;
  readonly version: number;
  readonly claims: readonly ClaimKey[];
}

/**
 * Claims of commits that were given up because the medium did not respond. The commit may still be
 * made, and nobody runs its claims: they are then released, instead of waiting for their leases to
 * expire and counting as crashes.
 */
export class AbandonedClaims {
  readonly #writer: string;
  #commits: Abandoned[] = [];
  #made: ClaimKey[] = [];

  /** @param writer of the commits */
  constructor(writer: string) {
    this.#writer = writer;
  }

  /** A commit is given up. @param tables without its changes */
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

  /** These could not be released: return them again later. */
  keep(claims: readonly ClaimKey[]): void {
    this.#made.push(...claims);
  }

  /**
   * The claims to release at this version. The writer commits nothing after an unknown version, so
   * its last commit in the head shows which abandoned commits were made.
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

/** Release claims that never started: the instances return to their earlier state. */
export function releaseClaims(
  state: LedgerState,
  moment: Moment,
  claims: readonly ClaimKey[],
): void {
  for (const claim of claims) {
    const lease = state.leaseOf(claim);
    if (!lease) continue;
    const { dueAt } = lease.row.instance;
    finishAttempt(state, moment, lease.row, {
      outcome: { type: "release", dueAt, isUnstarted: true },
    });
  }
}
