import {
  countHeld,
  countPromoted,
  countRow,
  type KindCounts,
  type Row,
} from "../ledger/tables/row.ts";
import type { PromotedRow } from "../ledger/tables/tables.ts";

/** Counts the rows of a replica as they are written and rolled back. */
export class RowCounts {
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
