/** A line that begins a statement: a header, or a key with its value. */
const STATEMENT = /^[ \t]*(?:\[|(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*(?:\.[^=\n]*)?=)/;
const HEADER = /^[ \t]*\[/;
/** The name of a job or channel in a header. */
const NAMED_HEADER =
  /^[ \t]*\[\[?[ \t]*(jobs|notices)[ \t]*\.[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([\w-]+))/;

/** A text without a statement that cannot be read. */
export interface Remainder {
  /** The same lines, some of them empty. */
  readonly text: string;
  /** The table that lacks something now, as `jobs.report`; null for none of these. */
  readonly table: string | null;
}

/**
 * Remove the statement that a line belongs to, so that the rest can be read. Without its header, a
 * table is removed as a whole: its keys would count for the table before it.
 *
 * @param line from 1
 * @param isToml whether a text of some lines is TOML
 * @returns null if the line has nothing to remove
 */
export function withoutStatement(
  text: string,
  line: number,
  isToml: (text: string) => boolean,
): Remainder | null {
  const lines = text.split("\n");
  const at = Math.min(line, lines.length) - 1;
  let start = at;
  // A value that does not end is noticed where the next statement begins, or at the end.
  while (start > 0 && !STATEMENT.test(lines[start]!)) start -= 1;
  // A complete one before the line is not to blame.
  if (start < at && isToml(lines.slice(start, at).join("\n"))) start = at;
  const isHeader = HEADER.test(lines[start]!);
  const next = isHeader ? HEADER : STATEMENT;
  let end = start + 1;
  while (end < lines.length && !next.test(lines[end]!)) end += 1;
  if (lines.slice(start, end).every((each) => each.trim() === "")) return null;
  const table = tableAt(lines, start);
  for (let index = start; index < end; index++) lines[index] = "";
  return { text: lines.join("\n"), table };
}

function tableAt(lines: readonly string[], start: number): string | null {
  for (let index = start; index >= 0; index--) {
    if (!HEADER.test(lines[index]!)) continue;
    const found = NAMED_HEADER.exec(lines[index]!);
    return found === null ? null : `${found[1]}.${found[2] ?? found[3] ?? found[4]}`;
  }
  return null;
}
