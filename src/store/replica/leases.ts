import type { Row } from "../ledger/tables/row.ts";
import type { Journal } from "./journal.ts";
import { KEYS } from "./keys.ts";

/**
 * The leases of claims, with each change recorded in the journal. A new lease is written with its
 * row, a renewal as a separate value.
 */
export class ReplicaLeases {
  readonly #journal: Journal;
  /** The lease of each processing row in ms, by seq. */
  readonly #leases = new Map<number, number>();
  /** Rows whose claim was renewed. */
  readonly #renewed = new Set<number>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Validity of a row's claim in ms; null when it is not claimed. */
  msOf(seq: number): number | null {
    return this.#leases.get(seq) ?? null;
  }

  /** Set the validity of a row's claim; null: it is not claimed. */
  note(seq: number, leaseMs: number | null): void {
    const before = this.msOf(seq);
    if (leaseMs === null) this.#leases.delete(seq);
    else this.#leases.set(seq, leaseMs);
    this.#journal.own(() => this.note(seq, before));
  }

  /** Set whether the medium holds a renewal of a row's claim. */
  noteRenewal(seq: number, exists: boolean): void {
    if (exists) this.#renewed.add(seq);
    else this.#renewed.delete(seq);
  }

  save({ seq, instance }: Row, leaseMs: number): void {
    const isNew = this.msOf(seq) === null;
    this.note(seq, leaseMs);
    if (isNew) return;
    const exists = this.#renewed.has(seq);
    this.noteRenewal(seq, true);
    this.#journal.value(
      KEYS.lease(seq),
      { leaseMs, fence: instance.fence },
      () => this.noteRenewal(seq, exists),
    );
  }

  /** The claim of a row ended. */
  end(seq: number): void {
    if (this.msOf(seq) === null) return;
    this.note(seq, null);
    if (!this.#renewed.has(seq)) return;
    this.noteRenewal(seq, false);
    this.#journal.value(KEYS.lease(seq), null, () => this.noteRenewal(seq, true));
  }
}
