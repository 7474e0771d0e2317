import { snakeCase } from "../../core/text/snake_case.ts";
import { isoOf, type Timestamp } from "../wire.ts";
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
  /** A cell, or only its text; a dash is shown if there is none. */
  cell(item: T, at: Viewpoint): Cell | string | number | undefined;
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

/** The fields of a record, by key. Undefined values are left out. */
type Fields<T> = Readonly<Record<string, (item: T) => Plain | undefined>>;

/** A view whose records have these fields, in this order. */
export function viewOf<T>(
  { fields, ...view }: Omit<View<T>, "record" | "keys"> & { readonly fields: Fields<T> },
): View<T> {
  const entries = Object.entries(fields);
  return {
    ...view,
    keys: Object.keys(fields),
    record: (item) => Object.fromEntries(entries.map(([key, field]) => [key, field(item)])),
  };
}

/** A member of an item that can be a field. */
type Member = string | number | boolean | bigint | readonly string[] | Timestamp | null | undefined;
type MemberName<T> = { [Name in keyof T]-?: T[Name] extends Member ? Name : never }[keyof T];

/**
 * The members of an item as fields. Keys are in snake case, times are ISO text and 64-bit integers
 * numbers; null is left out.
 */
export function membersOf<T>(...names: readonly (MemberName<T> & string)[]): Fields<T> {
  return Object.fromEntries(
    names.map((name) => [snakeCase(name), (item: T) => plainOf(item[name] as Member)]),
  );
}

function plainOf(member: Member): Plain | undefined {
  if (typeof member === "bigint") return Number(member);
  if (typeof member !== "object" || member === null) return member ?? undefined;
  return "seconds" in member ? isoOf(member) : member;
}
