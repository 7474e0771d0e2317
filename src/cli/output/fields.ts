import { JobError } from "../../core/errors.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { stringify } from "./json.ts";
import type { Column, Plain, PlainRecord } from "./view.ts";

/** The name of a column as a field: `last_used` of "LAST USED". */
export function columnField({ title }: Pick<Column<never>, "title">): string {
  return title.toLowerCase().replaceAll(" ", "_");
}

/** The column of a field of records. @param of makes the record of an item */
export function fieldColumn<T>(field: string, of: (item: T) => PlainRecord): Column<T> {
  return {
    title: field.toUpperCase().replaceAll("_", " "),
    least: 12,
    cell: (item) => shownText(of(item)[field]),
  };
}

/** A value for people: for an error, only its message. */
function shownText(value: Plain | undefined): string {
  const { message } = (value ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : plainText(value);
}

/** A value as text: a list or an object as JSON; empty for none. */
export function plainText(value: Plain | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? stringify(value) : String(value);
}

/** The requested fields of a record, in that order. */
export function pickFields(record: PlainRecord, fields: readonly string[]): PlainRecord {
  return Object.fromEntries(fields.map((field) => [field, record[field]]));
}

/** Refuse unknown fields of records. @throws JobError `invalid_argument` that lists them */
export function assertFields(fields: readonly string[], known: Iterable<string>): void {
  const names = [...known];
  const unknown = fields.filter((field) => !names.includes(field));
  const [first] = unknown;
  if (first === undefined) return;
  const shown = unknown.map((field) => `"${makeVisible(field)}"`).join(", ");
  const listed = `Fields: ${names.join(", ")}`;
  const near = didYouMean(first, names);
  throw new JobError("invalid_argument", `Cannot write --fields ${shown}: no such field`, {
    hint: near === null || near === undefined ? listed : `${near} ${listed}`,
  });
}
