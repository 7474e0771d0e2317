import {
  countHeld,
  countPromoted,
  countRow,
  type EndedAttempt,
  isHeld,
  type KindCounts,
  type Row,
} from "../ledger/tables/row.ts";
import type { PromotedRow } from "../ledger/tables/tables.ts";
import { MemoryEndedAttempts } from "../memory/ended_attempts.ts";
import { MemoryInstances } from "../memory/instances.ts";
import type { Journal } from "./journal.ts";
import * as keys from "./keys.ts";

/** Counts the rows of a replica as they are written and rolled back. */
class RowCounts {
  readonly #kinds = new Map<string, KindCounts>();
  readonly #held = new Map<string, number>();

  add(row: Row, by: 1 | -1): void {
    countRow(this.#kinds, row, by);
    countHeld(this.#held, row, by);
  }

  /** A row became ready. */
  addPromoted(row: PromotedRow, by: 1 | -1): void {
    countPromoted(this.#kinds.get(row.kind)!, row, by);
  }

  /** A copy, by kind. */
  read(): Map<string, KindCounts> {
    const copies = new Map<string, KindCounts>();
    for (const [kind, counts] of this.#kinds) {
      copies.set(kind, { ...counts, states: [...counts.states] });
    }
    return copies;
  }

  /** The number of held instances by schedule. */
  readHeld(): Map<string, number> {
    return new Map(this.#held);
  }
}

/** Ended attempts, with each change recorded in the journal. */
export class ReplicaEndedAttempts extends MemoryEndedAttempts {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override add(row: Row, ended: EndedAttempt): void {
    super.add(row, ended);
    const key = keys.endedAttemptKey(row.seq, ended.attempt);
    this.#journal.value(key, ended, () => super.removeLast(row.seq));
  }

  override removeOf(seq: number): void {
    const all = super.list(seq, 1, Number.MAX_SAFE_INTEGER);
    if (all.length === 0) return;
    super.removeOf(seq);
    for (const { attempt } of all) {
      this.#journal.value(keys.endedAttemptKey(seq, attempt), null, () => {});
    }
    this.#journal.own(() => super.restore(seq, all));
  }
}

/** Instances and their leases, with each change recorded in the journal. */
export class ReplicaInstances extends MemoryInstances {
  readonly counts = new RowCounts();
  readonly #journal: Journal;
  /** The lease of each processing row in ms, by seq. */
  readonly #leases = new Map<number, number>();
  /** Rows whose claim was renewed. */
  readonly #renewed = new Set<number>();

  constructor(endedAttempts: ReplicaEndedAttempts, journal: Journal) {
    super(endedAttempts);
    this.#journal = journal;
  }

  override insert(row: Row): void {
    super.insert(row);
    this.counts.add(row, 1);
    this.#journal.instance(row.seq, row, () => {
      super.remove(row);
      this.counts.add(row, -1);
    });
  }

  override update(before: Row, after: Row): void {
    this.#replace(before, after);
    const undo = () => this.#replace(after, before);
    // A row that only moved in the indexes is the same row for others.
    const isSame = before.instance === after.instance && isHeld(before) === isHeld(after);
    if (isSame) this.#journal.own(undo);
    else this.#journal.instance(after.seq, after, undo);
    if (before.instance.state === "processing" && after.instance.state !== "processing") {
      this.#endLease(after.seq);
    }
  }

  override remove(row: Row): void {
    super.remove(row);
    this.counts.add(row, -1);
    this.#endLease(row.seq);
    this.#journal.instance(row.seq, null, () => {
      super.insert(row);
      this.counts.add(row, 1);
    });
  }

  override promote(wallMs: number, limit: number): readonly PromotedRow[] {
    const promoted = super.promote(wallMs, limit);
    for (const one of promoted) this.counts.addPromoted(one, 1);
    this.#journal.own(() => {
      for (const one of promoted) {
        const after = this.at(one.seq)!;
        const { isBehind: _, ...before } = after;
        super.update(after, { ...before, isReady: false });
        this.counts.addPromoted(one, -1);
      }
    });
    return promoted;
  }

  override countHeld(): Map<string, number> {
    return this.counts.readHeld();
  }

  /** How long the claim of a row is valid; null when it is not claimed. */
  leaseMsOf(seq: number): number | null {
    return this.#leases.get(seq) ?? null;
  }

  /** Set how long the claim of a row is valid; null: it is not claimed. */
  noteLease(seq: number, leaseMs: number | null): void {
    if (leaseMs === null) this.#leases.delete(seq);
    else this.#leases.set(seq, leaseMs);
  }

  /** Set whether the medium holds a renewal of a row's claim. */
  noteRenewal(seq: number, exists: boolean): void {
    if (exists) this.#renewed.add(seq);
    else this.#renewed.delete(seq);
  }

  /** A new claim is written with its row, a renewal as a value of its own. */
  saveLease({ seq, instance }: Row, leaseMs: number): void {
    const before = this.leaseMsOf(seq);
    this.noteLease(seq, leaseMs);
    this.#journal.own(() => this.noteLease(seq, before));
    if (before === null) return;
    const exists = this.#renewed.has(seq);
    this.noteRenewal(seq, true);
    this.#journal.value(
      keys.leaseKey(seq),
      { leaseMs, fence: instance.fence },
      () => this.noteRenewal(seq, exists),
    );
  }

  #replace(before: Row, after: Row): void {
    super.update(before, after);
    if (
      before.isReady === after.isReady && before.isBehind === after.isBehind &&
      before.instance.state === after.instance.state
    ) return;
    this.counts.add(before, -1);
    this.counts.add(after, 1);
  }

  #endLease(seq: number): void {
    const before = this.leaseMsOf(seq);
    if (before === null) return;
    this.noteLease(seq, null);
    this.#journal.own(() => this.noteLease(seq, before));
    if (!this.#renewed.has(seq)) return;
    this.noteRenewal(seq, false);
    this.#journal.value(keys.leaseKey(seq), null, () => this.noteRenewal(seq, true));
  }
}
