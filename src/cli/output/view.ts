import type { PlainRecord } from "./plain.ts";
import type { Cell, Heading, Style } from "./table.ts";

/** One column of a view. */
export interface Column<T> extends Heading {
  /** Only in `wide`. */
  readonly isWide?: boolean;
  cell(item: T, at: Viewpoint): Cell;
}

/** The time and width for which an item is shown. */
export interface Viewpoint {
  readonly nowMs: number;
  readonly isWide: boolean;
}

/** How items of one type are shown in each form of output. */
export interface View<T> {
  /** What `-o name` writes. */
  name(item: T): string;
  /** What `-o json`, `jsonl` and `yaml` write. */
  record(item: T): PlainRecord;
  /** Header of `-o csv`: every key that a record can have, in order. */
  readonly keys: readonly string[];
  readonly columns: readonly Column<T>[];
  /** For people, instead of columns: a line that is never cut, already safe for a terminal. */
  line?(item: T, paint: (text: string, style: Style | undefined) => string): string;
}
