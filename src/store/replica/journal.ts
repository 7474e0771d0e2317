import type { StoredLine } from "../memory/logs.ts";
import type { Row } from "../ledger/tables/row.ts";
import { KEYS } from "./keys.ts";
import type { MediumChanges, MediumPair } from "./medium.ts";
import { type Extra, lengthOf, VALUE_LENGTH, writeLog } from "./row_values.ts";

/**
 * The changes of one group: how to undo them, and the writes for the medium. Indexes (ready rows,
 * rows behind another, rows delayed by a rate) belong to each replica: they can be undone, and the
 * medium does not hold them.
 */
export class Journal {
  /**
   * True while commits of other owners are applied, or the group is undone: these changes are
   * neither undoable nor written.
   */
  isApplying = false;
  #characters = 0;
  readonly #undo: (() => void)[] = [];
  readonly #rows = new Map<number, Row | null>();
  readonly #logs = new Map<number, StoredLine | null>();
  readonly #values = new Map<string, unknown>();

  /** The number of changed rows of the medium. */
  get changeCount(): number {
    return this.#rows.size + this.#logs.size + this.#values.size;
  }

  /** Their approximate number of characters. */
  get characterCount(): number {
    return this.#characters;
  }

  /** The changes of the group, without the head. */
  changes(
    valueOf: (key: string, row: Row) => string,
    extraOf: (key: string) => Extra | undefined,
  ): MediumChanges {
    const puts: MediumPair[] = [];
    const deletes: string[] = [];
    for (const [seq, row] of this.#rows) {
      const key = KEYS.instance(seq);
      if (row) puts.push([key, valueOf(key, row)]);
      else deletes.push(key);
    }
    for (const [place, line] of this.#logs) {
      if (line) puts.push([KEYS.log(place), writeLog(line)]);
      else deletes.push(KEYS.log(place));
    }
    for (const [key, value] of this.#values) {
      if (value === null) deletes.push(key);
      else puts.push([key, JSON.stringify({ ...extraOf(key), ...value as Extra })]);
    }
    return { puts, deletes };
  }

  /** An instance was written, or deleted with null. */
  instance(seq: number, row: Row | null, undo: () => void): void {
    if (this.isApplying) return;
    this.#rows.set(seq, row);
    if (row) this.#characters += lengthOf(row);
    this.#undo.push(undo);
  }

  /** Any other value was written, or deleted with null. */
  value(key: string, value: unknown, undo: () => void): void {
    if (this.isApplying) return;
    this.#values.set(key, value);
    this.#characters += VALUE_LENGTH;
    this.#undo.push(undo);
  }

  /** A line was written, or deleted with null. */
  line(place: number, line: StoredLine | null, undo: () => void): void {
    if (this.isApplying) return;
    this.#logs.set(place, line);
    if (line) this.#characters += VALUE_LENGTH + line.entry.message.length;
    this.#undo.push(undo);
  }

  /** Something outside of the medium changed. */
  own(undo: () => void): void {
    if (!this.isApplying) this.#undo.push(undo);
  }

  takeBack(): void {
    this.isApplying = true;
    try {
      for (let index = this.#undo.length - 1; index >= 0; index--) this.#undo[index]!();
    } finally {
      this.isApplying = false;
    }
    this.clear();
  }

  /** Start the next group. */
  clear(): void {
    this.#characters = 0;
    this.#undo.length = 0;
    this.#rows.clear();
    this.#logs.clear();
    this.#values.clear();
  }
}
