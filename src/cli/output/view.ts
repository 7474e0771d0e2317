import type { PlainRecord } from "./plain.ts";
import type { Cell, Heading, Style } from "./table.ts";

/** One column of a view. */
export interface Column<T> extends Heading {
  /** Only in `wide`. */
  readonly isWide?: boolean;
  cell(item: T, at: Viewpoint): Cell;
}

/** From when, and how wide, an item is looked at. */
export interface Viewpoint {
  readonly nowMs: number;
  readonly isWide: boolean;
}

/** How one sort of thing is shown in each form of output. */
export interface View<T> {
  /** What `-o name` writes. */
  name(item: T): string;
  /** What `-o json`, `jsonl` and `yaml` write. */
  record(item: T): PlainRecord;
  /** Header of `-o csv`: every key that a record can have, in order. */
  readonly keys: readonly string[];
  readonly columns: readonly Column<T>[];
  /** For people in place of columns: one line, never cut, without its end; the text in it made safe. */
  line?(item: T, paint: (text: string, style: Style | undefined) => string): string;
}
