import { displayWidth } from "../output/table.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { padded, type Span } from "../screen/line.ts";
import type { Field, Section } from "./sections.ts";

const GAP = "  ";

/**
 * Number of rows for each section's items, of the rows that are free below all titles. A section
 * with fewer items leaves its rows to the others.
 */
export function allotRows(
  sections: readonly { readonly count: number; readonly weight: number }[],
  free: number,
): readonly number[] {
  const given = sections.map(() => 0);
  let left = free;
  for (let before = -1; left > 0 && left !== before;) {
    before = left;
    for (const [index, { count, weight }] of sections.entries()) {
      const more = Math.min(weight, count - given[index]!, left);
      given[index]! += more;
      left -= more;
    }
  }
  return given;
}

/** First row of a window of `rows` in a list of `count` that contains `selected`. */
export function windowStart(
  { count, rows, selected, before }: {
    readonly count: number;
    readonly rows: number;
    readonly selected: number;
    /** Its first row until now. */
    readonly before: number;
  },
): number {
  const last = Math.max(0, count - rows);
  const lowest = Math.max(0, selected - rows + 1);
  return Math.min(last, Math.max(lowest, Math.min(before, selected)));
}

/**
 * The widths of the columns of a section; 0 for an omitted one.
 *
 * @param all the sections whose shared columns it has
 */
export function columnWidths(
  { widths, rows }: Pick<Section, "widths" | "rows">,
  columns: number,
  all: readonly Pick<Section, "widths" | "rows">[] = [],
): readonly number[] {
  const wanted = widths.map(({ max, fromColumns = 0, isShared = false }, index) => {
    if (columns < fromColumns) return 0;
    const others = isShared ? all.filter((section) => section.widths[index]?.isShared) : [];
    return Math.min(max, widest([{ rows }, ...others], index));
  });
  let left = columns;
  return wanted.map((width) => {
    const given = Math.min(width, Math.max(0, left));
    if (given > 0) left -= given + GAP.length;
    return given;
  });
}

function widest(sections: readonly Pick<Section, "rows">[], index: number): number {
  const texts = sections.flatMap(({ rows }) => rows.map(({ fields }) => fields[index]!.text));
  return texts.reduce((most, text) => Math.max(most, displayWidth(makeVisible(text))), 0);
}

/** A row as spans, in columns of these widths. */
export function rowSpans(fields: readonly Field[], widths: readonly number[]): readonly Span[] {
  return fields.flatMap(({ text, style }, index) => {
    const width = widths[index]!;
    return width === 0 ? [] : [{ text: padded(text, width), style }, { text: GAP }];
  });
}
