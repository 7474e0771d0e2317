import {
  emptyCounts,
  isHeld,
  isKeyed,
  type KindCounts,
  type Row,
  stateIndex,
} from "../ledger/tables/row.ts";
import type { PromotedRow } from "../ledger/tables/tables.ts";

/** Counts the rows of a replica as they are written and taken back. */
export class RowCounts {
  readonly #kinds = new Map<string, KindCounts>();
  readonly #held = new Map<string, number>();

  add(row: Row, by: 1 | -1): void {
    const { kind, state, scheduleId } = row.instance;
    const counts = this.#countsOf(kind);
    counts.states[stateIndex(state)]! += by;
    if (row.isReady === true) counts.ready += by;
    else if (row.isReady === false) counts.later += by;
    if (row.isBehind) counts.behind += by;
    if (scheduleId === null || !isHeld(row)) return;
    const held = (this.#held.get(scheduleId) ?? 0) + by;
    if (held > 0) this.#held.set(scheduleId, held);
    else this.#held.delete(scheduleId);
  }

  /** A row became ready. */
  addPromoted(row: PromotedRow, by: 1 | -1): void {
    const counts = this.#countsOf(row.kind);
    counts.later -= by;
    counts.ready += by;
    if (isKeyed(row)) counts.behind += by;
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
  countHeld(): Map<string, number> {
    return new Map(this.#held);
  }

  clear(): void {
    this.#kinds.clear();
    this.#held.clear();
  }

  #countsOf(kind: string): KindCounts {
    let counts = this.#kinds.get(kind);
    if (!counts) this.#kinds.set(kind, counts = emptyCounts());
    return counts;
  }
}
