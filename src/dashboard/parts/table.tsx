import type { ComponentChildren, JSX } from "preact";

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => ComponentChildren;
  /** True if only screen readers need the title. */
  readonly isUntitled?: boolean;
  /** "num" aligns right; "wide" takes the rest, cut; "text" wraps; "minor" hides on phones. */
  readonly kind?: "num" | "wide" | "text" | "minor" | "wide minor" | "tight";
}

interface TableProps<T> {
  /** Content of the table, for screen readers. */
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly rowClass?: (row: T) => string | undefined;
  /** Shown in its place if there are no rows. */
  readonly empty?: JSX.Element;
}

/** A table that scrolls sideways when the page is narrow. */
export function Table<T>(
  { label, columns, rows, keyOf, rowClass, empty }: TableProps<T>,
): JSX.Element {
  if (empty !== undefined && rows.length === 0) return empty;
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label={label}>
      <table class="table">
        <thead>
          <tr>
            {columns.map(({ title, kind, isUntitled = false }) => (
              <th key={title} scope="col" class={kind}>
                {isUntitled ? <span class="offscreen">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} class={rowClass?.(row)}>
              {columns.map(({ title, kind, cell }) => <td key={title} class={kind}>{cell(row)}
              </td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
