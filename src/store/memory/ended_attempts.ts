import type { EndedAttempt, Row } from "../ledger/tables/row.ts";
import type { EndedAttemptTable } from "../ledger/tables/tables.ts";

/** Ended attempts by instance. */
export class MemoryEndedAttempts implements EndedAttemptTable {
  readonly #bySeq = new Map<number, EndedAttempt[]>();

  add({ seq }: Row, ended: EndedAttempt): void {
    const all = this.#bySeq.get(seq);
    if (all) all.push(ended);
    else this.#bySeq.set(seq, [ended]);
  }

  list(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    // Attempts are 1, 2, 3 … and all but the last have ended.
    return this.#bySeq.get(seq)?.slice(fromAttempt - 1, fromAttempt - 1 + limit) ?? [];
  }

  byFence(seq: number, fence: number): EndedAttempt | null {
    return this.#bySeq.get(seq)?.findLast((one) => one.fence === fence) ?? null;
  }

  /** Take back the last one of an instance. */
  removeLast(seq: number): void {
    const all = this.#bySeq.get(seq);
    all?.pop();
    if (all?.length === 0) this.#bySeq.delete(seq);
  }

  /** Delete those of an instance. */
  removeOf(seq: number): void {
    this.#bySeq.delete(seq);
  }

  /** Take back their deletion. */
  restore(seq: number, all: readonly EndedAttempt[]): void {
    this.#bySeq.set(seq, [...all]);
  }
}
