import type { Cell, Heading, Style } from "./table.ts";

/** Data without behaviour, as JSON has it. An absent key is undefined and is not written. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | PlainRecord;

/** Plain data by key. */
export interface PlainRecord {
  readonly [key: string]: Plain | undefined;
}

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
  /** The output of `-o name`. */
  name(item: T): string;
  /** The output of `-o json`, `jsonl` and `yaml`. */
  record(item: T): PlainRecord;
  /** Header of `-o csv`: every key of a record, in order. */
  readonly keys: readonly string[];
  readonly columns: readonly Column<T>[];
  /** For people, instead of columns: a line that is never cut, already safe for a terminal. */
  line?(item: T, paint: (text: string, style: Style | undefined) => string): string;
}

/** A view whose records have these fields, in this order. Undefined values are left out. */
export function viewOf<T>(
  { fields, ...view }: Omit<View<T>, "record" | "keys"> & {
    readonly fields: Readonly<Record<string, (item: T) => Plain | undefined>>;
  },
): View<T> {
  const entries = Object.entries(fields);
  return {
    ...view,
    keys: Object.keys(fields),
    record: (item) => Object.fromEntries(entries.map(([key, field]) => [key, field(item)])),
  };
}
