import { JobError } from "../../core/errors.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { type Args, usageError } from "./args.ts";
import type { OptionSpecs } from "./options.ts";
import { plainText } from "../output/fields.ts";
import type { Plain, PlainRecord } from "../output/view.ts";

/** Order requested by `--sort`. */
export interface SortOrder {
  readonly field: string;
  readonly isDescending: boolean;
}

/** Option of the list verbs. @param suggests the fields that a shell offers */
export function sortOption(...suggests: readonly string[]): OptionSpecs {
  const describe = "Sort by this field, the smallest first, or with FIELD:desc the greatest";
  return { sort: { value: "FIELD", describe, suggests } };
}

/** Names of columns, each with the field that it is sorted by. */
const COLUMN_FIELDS: Readonly<Record<string, string>> = {
  took: "duration_ms",
  next: "next_run_at",
  last: "last_run_at",
  schedule: "cron",
};
/** Optional ends of fields: `created` is `created_at`. */
const ENDS = ["", "_at", "_ms"];
const DIRECTIONS = ["asc", "desc"];

/** Read `--sort`; null without it. @throws JobError `invalid_argument` for another form */
export function readSort(args: Args): SortOrder | null {
  const text = args.text("sort");
  if (text === undefined) return null;
  const [field = "", direction = "asc", ...more] = text.split(":");
  if (field !== "" && DIRECTIONS.includes(direction) && more.length === 0) {
    return { field: field.toLowerCase().replaceAll("-", "_"), isDescending: direction === "desc" };
  }
  throw usageError(
    `Cannot read --sort "${makeVisible(text)}": wanted a field, with or without :asc or :desc`,
    "Write --sort took:desc for the longest first",
  );
}

/** True if an order is by a field, under any of its names. */
export function isSortedBy({ field }: SortOrder, key: string): boolean {
  return ENDS.some((end) => (COLUMN_FIELDS[field] ?? field) + end === key);
}

/**
 * Items in an order. Items without a value come last in either direction, and equal ones stay in
 * order.
 *
 * @param keys the keys that records have
 * @throws JobError `invalid_argument` for a field that they do not have
 */
export function sortItems<T>(
  items: readonly T[],
  order: SortOrder,
  { keys, of }: { readonly keys: readonly string[]; readonly of: (item: T) => PlainRecord },
): T[] {
  const key = keys.find((each) => each === order.field) ??
    keys.find((each) => isSortedBy(order, each));
  if (key === undefined) {
    const columns = Object.entries(COLUMN_FIELDS).filter(([, field]) => keys.includes(field));
    throw unknownField(order.field, [...columns.map(([name]) => name), ...keys]);
  }
  const sign = order.isDescending ? -1 : 1;
  return items.map((item) => ({ item, value: of(item)[key] }))
    .sort((left, right) => compare(left.value, right.value, sign))
    .map(({ item }) => item);
}

function compare(left: Plain | undefined, right: Plain | undefined, sign: number): number {
  const [hasLeft, hasRight] = [left, right].map((value) => value !== undefined && value !== null);
  if (!hasLeft || !hasRight) return Number(hasRight) - Number(hasLeft);
  const [a, b] = isNumber(left) && isNumber(right)
    ? [left, right]
    : [plainText(left), plainText(right)];
  return a === b ? 0 : a < b ? -sign : sign;
}

function isNumber(value: Plain | undefined): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function unknownField(field: string, keys: readonly string[]): JobError {
  const listed = `Fields: ${keys.join(", ")}`;
  const near = didYouMean(field, keys);
  return new JobError(
    "invalid_argument",
    `Cannot sort by "${makeVisible(field)}": no such field`,
    { hint: near === undefined ? listed : `${near} ${listed}` },
  );
}
