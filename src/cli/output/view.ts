import type { AnyMessage } from "../../rpc/model/write_json.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import type { Cell, Heading, Style } from "./table.ts";

/** Data without behavior, like in JSON. An absent key is undefined and is not written. */
export type Plain =
  | string
  | number
  | bigint
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
  /** A cell, or only its text. Without any value, the column is omitted. */
  cell(item: T, at: Viewpoint): Cell | string | number | undefined;
}

/** The time and width for showing an item. */
export interface Viewpoint {
  readonly nowMs: number;
  readonly isWide: boolean;
  /** The id of an item as the table shows it: whole, or an unambiguous part. */
  readonly shortId: (id: string) => string;
}

/** Medium for lines for people. */
export interface Paper {
  /** Width for lines that can be wrapped; null for no limit. */
  readonly columns: number | null;
  paint(text: string, style: Style | undefined): string;
}

/** View of items of one type for people. */
interface Shown<T> {
  /** The output of `-o name`. */
  name(item: T): string;
  readonly columns: readonly Column<T>[];
  /** Instead of columns: lines that are never cut, already safe for a terminal. */
  line?(item: T, paper: Paper): string;
}

/** View of items that are messages of the contract: their JSON is the HTTP API's. */
export interface MessageView<T extends AnyMessage> extends Shown<T> {
  /** The type of the messages, such as "JobInstance". */
  readonly message: string;
}

/** View of items that are not messages. */
export interface RecordView<T> extends Shown<T> {
  /** The record of an item by key: what `-o json`, `jsonl`, `yaml` and `csv` write. */
  readonly fields: Readonly<Record<string, (item: T) => Plain | undefined>>;
}

/** View of items of one type in each form of output. */
export type View<T> = RecordView<T> | (T extends AnyMessage ? MessageView<T> : never);

/** The record of an item that is not a message. */
export function recordOf<T>({ fields }: RecordView<T>, item: T): PlainRecord {
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field(item)]));
}

type Field = string | number | boolean | readonly string[] | null | undefined;
type FieldName<T> = { [Name in keyof T]-?: T[Name] extends Field ? Name : never }[keyof T];

/** The members of an item as fields of its record, in snake case, without nulls. */
export function membersOf<T>(
  ...names: readonly (FieldName<T> & string)[]
): RecordView<T>["fields"] {
  return Object.fromEntries(
    names.map((name) => [snakeCase(name), (item: T) => (item[name] as Field) ?? undefined]),
  );
}
