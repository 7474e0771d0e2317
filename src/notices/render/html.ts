import type { Severity } from "./severity.ts";
import { outputHeading } from "./text.ts";
import type { NoticeView } from "./view.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text for HTML, inside of elements and of quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Colors of severities: readable on white and with color blindness, like the title's stripe. */
export const COLORS: Readonly<Record<Severity, string>> = {
  critical: "#8b0000",
  error: "#c62828",
  warning: "#b26a00",
  info: "#1565c0",
  ok: "#2e7d32",
};

const CELL = "padding:2px 12px 2px 0;vertical-align:top;text-align:left";
const CODE = "font-family:Consolas,Menlo,monospace;font-size:13px";

/** A notice as HTML, for the second part of a mail: without style sheets, images and scripts. */
export function renderHtml(view: NoticeView, severity: Severity): string {
  const stripe = `border-left:4px solid ${COLORS[severity]};padding-left:10px`;
  const parts = [
    `<h2 style="font-size:18px;margin:0 0 12px;${stripe}">${escapeHtml(view.title)}</h2>`,
    ...view.facts.map((fact) => `<p style="margin:8px 0">${escapeHtml(fact)}</p>`),
    rowsTable(view),
    itemsTable(view),
    view.output.length === 0 ? "" : [
      `<p style="margin:12px 0 4px">${escapeHtml(outputHeading(view))}</p>`,
      `<pre style="${CODE};background:#f5f5f5;color:#222;padding:8px;margin:0;white-space:pre-wrap">${
        escapeHtml(view.output.join("\n"))
      }</pre>`,
    ].join("\n"),
    view.command === null
      ? ""
      : `<p style="margin:12px 0">See more: <code style="${CODE}">${
        escapeHtml(view.command)
      }</code></p>`,
    `<p style="color:#666;font-size:12px;margin:16px 0 0">${escapeHtml(view.footer)}</p>`,
  ];
  const title = `<title>${escapeHtml(view.title)}</title>`;
  return [
    `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">${title}</head>`,
    '<body style="font-family:Arial,Helvetica,sans-serif;font-size:14px;color:#222;background:#fff">',
    ...parts.filter((part) => part !== ""),
    "</body></html>\n",
  ].join("\n");
}

function rowsTable({ rows }: NoticeView): string {
  if (rows.length === 0) return "";
  const lines = rows.map(([label, value]) =>
    `<tr><th style="${CELL};font-weight:normal;color:#666">${
      escapeHtml(label)
    }</th><td style="${CELL}">${escapeHtml(value)}</td></tr>`
  );
  return `<table style="border-collapse:collapse">\n${lines.join("\n")}\n</table>`;
}

function itemsTable({ items }: NoticeView): string {
  if (items.length === 0) return "";
  const row = (cells: readonly string[], tag: "td" | "th") =>
    `<tr>${
      cells.map((cell) => `<${tag} style="${CELL}">${escapeHtml(cell)}</${tag}>`).join("")
    }</tr>`;
  return [
    '<table style="border-collapse:collapse">',
    row(["What", "Event", "Count", "When", "Detail", "See more"], "th"),
    ...items.map(({ subject, event, count, when, detail, command }) =>
      row([subject, event, count, when, detail, command], "td")
    ),
    "</table>",
  ].join("\n");
}
