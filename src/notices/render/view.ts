import type { DigestItem, Notice } from "../../core/notices/notice.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { formatLocal } from "../../core/time/local_time.ts";

/** Settings for rendering a notice. */
export interface RenderOptions {
  readonly channel: string;
  readonly timezone: string;
}

/** One fact with its name. */
export type ViewRow = readonly [label: string, value: string];

/** One line of the table of a digest. */
export interface ViewItem {
  readonly subject: string;
  readonly event: string;
  readonly count: string;
  readonly when: string;
  readonly detail: string;
  /** Command that shows more about its last run; may be empty. */
  readonly command: string;
}

/** Readable content of a notice: each text is one line without control characters. */
export interface NoticeView {
  readonly title: string;
  readonly rows: readonly ViewRow[];
  readonly facts: readonly string[];
  readonly items: readonly ViewItem[];
  readonly output: readonly string[];
  readonly command: string | null;
  /** The sender. */
  readonly footer: string;
}

/** Most lines of the table of a digest; the rest are counted. */
const ITEMS_MAX = 200;
/** Longest single line, in characters. */
const LINE_LENGTH_MAX = 2_000;

/** The readable content of a notice. */
export function viewOf(notice: Notice, options: RenderOptions): NoticeView {
  return {
    title: line(notice.title),
    rows: rowsOf(notice, options.timezone),
    // The title often ends with the first of them.
    facts: notice.facts.filter((fact) => !notice.title.endsWith(`: ${fact}`)).map(line),
    items: itemsOf(notice, options.timezone),
    output: notice.output.map(outputLine),
    command: notice.command === null ? null : line(notice.command),
    footer: line(`jobctl on ${notice.host}, node ${notice.node}, channel ${options.channel}`),
  };
}

// Errors, durations and counts are among the facts, in sentences.
function rowsOf({ subject, at, run, incident }: Notice, timezone: string): ViewRow[] {
  const time = (value: number) => formatLocal(value, timezone);
  const rows: (readonly [label: string, value: string | null])[] = [
    [subject.type === "job" ? "Job" : capital(subject.type), subject.name],
    ["Time", time(at)],
  ];
  if (run !== null) {
    const { id, scheduledFor, startedAt, version, node } = run;
    rows.push(
      ["Run", id],
      ["Planned for", scheduledFor === null ? null : time(scheduledFor)],
      ["Started", startedAt === null ? null : time(startedAt)],
      ["Version", version],
      ["Node", node],
    );
  }
  if (incident !== null) {
    const { openedAt, closedAt } = incident;
    const span = closedAt === null
      ? `open since ${time(openedAt)}`
      : `from ${time(openedAt)} to ${time(closedAt)}`;
    rows.push(["Incident", span]);
  }
  return rows.filter((row): row is ViewRow => row[1] !== null && row[1] !== "")
    .map(([label, value]) => [label, line(value)]);
}

/** The lines of a digest, by job. */
function itemsOf({ items }: Notice, timezone: string): ViewItem[] {
  const subjectOf = ({ subject: { type, name } }: DigestItem) =>
    type === "job" ? name : `${type} ${name}`;
  const groups = new Map<string, DigestItem[]>();
  for (const item of items) {
    const name = subjectOf(item);
    groups.set(name, [...groups.get(name) ?? [], item]);
  }
  const ordered = [...groups.values()].flat();
  const shown: ViewItem[] = ordered.slice(0, ITEMS_MAX).map((item) => ({
    subject: line(subjectOf(item)),
    event: item.event,
    count: String(item.count),
    when: span(item, timezone),
    detail: line(item.detail ?? ""),
    command: item.instanceId === null ? "" : line(`jobctl logs ${item.instanceId}`),
  }));
  const more = ordered.length - shown.length;
  if (more > 0) {
    const none = { event: "", count: "", when: "", detail: "", command: "" };
    shown.push({ subject: `and ${more} more`, ...none });
  }
  return shown;
}

function span({ firstAt, lastAt }: DigestItem, timezone: string): string {
  const short = (at: number) => formatLocal(at, timezone).replace(/ [+-]\d\d:\d\d$/, "");
  if (firstAt === lastAt) return short(firstAt);
  const [first, last] = [short(firstAt), short(lastAt)];
  return first.slice(0, 10) === last.slice(0, 10)
    ? `${first} – ${last.slice(11)}`
    : `${first} – ${last}`;
}

/** One line, without control characters, of limited length. */
function line(text: string): string {
  const visible = makeVisible(text.slice(0, LINE_LENGTH_MAX));
  return text.length > LINE_LENGTH_MAX ? `${visible}…` : visible;
}

// deno-lint-ignore no-control-regex
const COLOR = /\u001b\[[0-9;:]*[A-Za-z]/g;

/** A line of output, without colors; its tabs stay. */
function outputLine(text: string): string {
  return text.replace(/\r?\n$/, "").replaceAll(COLOR, "").split("\t").map(line).join("\t");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
