import type { Row } from "../ledger/tables/row.ts";
import type { EndedAttempt } from "../records.ts";
import type { EndedAttemptTable } from "../ledger/tables/tables.ts";
import type { Changed } from "./changed.ts";

/** The instance and number of an ended attempt. */
type EndedKey = Pick<Row, "seq"> & Pick<EndedAttempt, "attempt">;

/** Ended attempts by instance. */
export class MemoryEndedAttempts implements EndedAttemptTable {
  readonly #bySeq = new Map<number, EndedAttempt[]>();
  readonly #changed: Changed<EndedKey, EndedAttempt> | undefined;

  constructor(changed?: Changed<EndedKey, EndedAttempt>) {
    this.#changed = changed;
  }

  add({ seq }: Pick<Row, "seq">, ended: EndedAttempt): void {
    const all = this.#bySeq.get(seq);
    if (all) all.push(ended);
    else this.#bySeq.set(seq, [ended]);
    this.#changed?.({ seq, attempt: ended.attempt }, ended, () => this.#removeLast(seq));
  }

  list(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    // Attempts are 1, 2, 3 … and all but the last have ended.
    return this.#bySeq.get(seq)?.slice(fromAttempt - 1, fromAttempt - 1 + limit) ?? [];
  }

  byFence(seq: number, fence: number): EndedAttempt | null {
    return this.#bySeq.get(seq)?.findLast((one) => one.fence === fence) ?? null;
  }

  /** Delete the attempts of an instance. */
  removeOf(seq: number): void {
    while (this.#bySeq.has(seq)) this.#removeLast(seq);
  }

  #removeLast(seq: number): void {
    const all = this.#bySeq.get(seq)!;
    const ended = all.pop()!;
    if (all.length === 0) this.#bySeq.delete(seq);
    this.#changed?.({ seq, attempt: ended.attempt }, null, () => this.add({ seq }, ended));
  }
}
