import { collect } from "../../lookup/lookup.ts";
import type { Printer } from "../../output/printer.ts";
import type { SortOrder } from "../../parsing/sort.ts";
import type { View } from "../../output/view.ts";
import type { Args } from "../../parsing/args.ts";
import type { OptionSpecs } from "../../parsing/options.ts";

/** Rows of a table without `--limit` and `--all`. */
const TABLE_ROWS = 100;
const LIMIT_MAX = 10_000_000;
/** Most items that are sorted. */
const SORTED_MAX = 10_000;

/** Options for the shown part of a list. */
export const LIMIT_OPTIONS: OptionSpecs = {
  limit: {
    value: "N",
    alias: "n",
    describe: `At most this many (default ${TABLE_ROWS} in a table, else all)`,
  },
  all: { describe: "No limit, even in a table", isFlag: true },
};

/** Number of items to show; null for all. --all, which also adds kinds, does not undo --limit. */
export function readLimit(args: Args, printer: Printer): number | null {
  const limit = args.integer("limit", { min: 1, max: LIMIT_MAX });
  if (limit !== undefined) return limit;
  return printer.isHuman && !args.flag("all") ? TABLE_ROWS : null;
}

/** A list to show. */
export interface Listed<T> {
  readonly limit: number | null;
  /** Null for the order of the source. */
  readonly order: SortOrder | null;
  /** Up to `limit` of them; null for all. */
  readonly items: (limit: number | null) => AsyncIterable<T> | Iterable<T>;
  /** Whole items for shortened ones of {@link items}, in sorted order. */
  readonly complete?: (items: readonly T[]) => AsyncIterable<T>;
  /** The note if there are no items. */
  readonly none: string;
}

/** Print a list, or as much as fits, and say if there is more. */
export async function printLimited<T>(
  printer: Printer,
  view: View<T>,
  listed: Listed<T>,
): Promise<void> {
  if (listed.order !== null) return await printSorted(printer, view, listed, listed.order);
  const { limit, items, none } = listed;
  let hasMore = false;
  // Fetch one more to know if there are more.
  const counted = async function* () {
    let count = 0;
    for await (const item of items(limit === null ? null : limit + 1)) {
      hasMore = count === limit;
      if (hasMore) return;
      count += 1;
      yield item;
    }
  };
  await printer.list(view, counted(), none);
  if (hasMore) {
    await printer.note(
      `${firstText(limit!)}; --all shows the rest, --limit N more or fewer`,
    );
  }
}

function firstText(count: number): string {
  return count === 1 ? "This is the first" : `These are the first ${count}`;
}

async function printSorted<T>(
  printer: Printer,
  view: View<T>,
  { limit, items, complete, none }: Listed<T>,
  order: SortOrder,
): Promise<void> {
  const found = await collect(items(SORTED_MAX + 1));
  const isCut = found.length > SORTED_MAX;
  const { sortItems } = await import("../../parsing/sort.ts");
  const { keys, of } = await printer.wholeRecords(view);
  const sorted = sortItems(found.slice(0, SORTED_MAX), order, { keys: keys(), of });
  const shown = sorted.slice(0, limit ?? SORTED_MAX);
  await printer.list(view, complete === undefined ? shown : complete(shown), none);
  if (shown.length < sorted.length) {
    await printer.note(
      `${firstText(shown.length)} of ${sorted.length}; --all shows the rest`,
    );
  }
  // A program must not take them for a complete list.
  if (isCut) {
    await printer.remark(
      `Only the first ${SORTED_MAX} were sorted: choose fewer by --since, --kind or --state`,
    );
  }
}
