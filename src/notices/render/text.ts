import type { NoticeView, ViewItem, ViewRow } from "./view.ts";

/** A notice as plain text, for the first part of a mail. */
export function renderText(view: NoticeView): string {
  const parts = [
    view.title,
    view.facts.join("\n"),
    view.rows.map(rowLine).join("\n"),
    itemLines(view.items).join("\n"),
    view.output.length === 0
      ? ""
      : [outputHeading(view), ...view.output.map((line) => `  ${line}`)].join("\n"),
    view.command === null ? "" : `See more: ${view.command}`,
    `-- \n${view.footer}`,
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** The facts of a notice, one a line. */
export function factLines({ rows, facts }: NoticeView): string[] {
  return [...facts, ...rows.map(rowLine)];
}

function rowLine([label, value]: ViewRow): string {
  return `${label}: ${value}`;
}

/** The heading of the lines of output. */
export function outputHeading({ output }: NoticeView): string {
  return output.length === 1
    ? "Last line of the output:"
    : `Last ${output.length} lines of the output:`;
}

/** The lines of a digest with the commands that show more. */
function itemLines(items: readonly ViewItem[]): string[] {
  const lines = tableLines(items);
  return items.flatMap(({ command }, index) =>
    command === "" ? [lines[index]!] : [lines[index]!, `  See more: ${command}`]
  );
}

/** The lines of a digest, in columns. */
export function tableLines(items: readonly ViewItem[]): string[] {
  const cells = items.map(({ subject, event, count, when, detail }) => [
    subject,
    count === "" || count === "1" ? event : `${event} ×${count}`,
    when,
    detail,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...cells.map((row) => row[column]!.length)));
  return cells.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
}
