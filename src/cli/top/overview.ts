import { countText } from "../../core/text/count_text.ts";
import { roughDuration } from "../../core/time/duration.ts";
import type { GetCallerResponse } from "../../rpc/gen/job_pb.ts";
import { displayWidth } from "../output/table.ts";
import { clockText } from "../output/when.ts";
import { formatLine, type Span } from "../screen/line.ts";
import type { Size } from "../screen/terminal.ts";
import { msOf } from "../io/wire.ts";
import { allotRows, columnWidths, rowSpans, windowStart } from "./layout.ts";
import { type Row, type Section, sectionsOf } from "./sections.ts";
import { NO_DATA, type TopData } from "./top_data.ts";

/** Settings of the view beyond the daemon's reports. */
export interface OverviewLook {
  readonly nowMs: number;
  readonly hasColor: boolean;
  /** True while the daemon cannot be reached. */
  readonly isAway: boolean;
  readonly caller: GetCallerResponse | null;
}

/** Most lines of warnings below the head. */
const ALERTS_MAX = 3;

/** The view of everything: running, next and failed; and the selected row. */
export class Overview {
  data: TopData = NO_DATA;
  /** Only kinds that contain this are shown. */
  filter = "";
  #rows: readonly Row[] = [];
  #sections: readonly Section[] = [];
  #selected = 0;
  /** Key of the selected row; null before a choice: the first one is selected then. */
  #key: string | null = null;
  /** First shown row of each section, by its title. */
  readonly #starts = new Map<string, number>();
  #pageRows = 10;

  get selected(): Row | undefined {
    return this.#rows[this.#selected];
  }

  /** Select the row this many rows below. */
  move(rows: number): void {
    const last = Math.max(0, this.#rows.length - 1);
    this.#select(Math.max(0, Math.min(last, this.#selected + rows)));
  }

  /** Select the row this many screens below. */
  movePages(pages: number): void {
    this.move(pages * this.#pageRows);
  }

  /** Select the first row of the next section with rows, or of the previous one with -1. */
  moveSections(direction: 1 | -1): void {
    let first = 0;
    const firsts: number[] = [];
    for (const { rows } of this.#sections) {
      if (rows.length > 0) firsts.push(first);
      first += rows.length;
    }
    if (firsts.length === 0) return;
    const at = firsts.findLastIndex((index) => index <= this.#selected);
    this.#select(firsts[(at + direction + firsts.length) % firsts.length]!);
  }

  /** The lines of the view, up to the size's rows. */
  lines({ rows, columns }: Size, look: OverviewLook): readonly string[] {
    const { nowMs, hasColor } = look;
    this.#sections = sectionsOf(this.data, { filter: this.filter, nowMs, columns });
    this.#rows = this.#sections.flatMap((section) => section.rows);
    this.#keepSelection();
    const head = [
      headLine(this.data, look, columns),
      countsLine(this.data),
      ...alertLines(this.data, look, this.filter),
    ].map((spans) => formatLine(spans, { columns, hasColor }));
    const shown = this.#shownSections(rows - head.length);
    const allotted = allotRows(
      shown.map(({ rows: { length: count }, weight }) => ({ count, weight })),
      rows - head.length - shown.length,
    );
    const used = head.length + shown.length + allotted.reduce((sum, count) => sum + count, 0);
    const gap = rows - used >= shown.length ? [""] : [];
    const body = shown.flatMap((section, index) => [
      ...gap,
      ...this.#sectionLines(section, { rows: allotted[index]!, columns }, hasColor),
    ]);
    this.#pageRows = Math.max(1, rows - head.length - shown.length);
    return [...head, ...body].slice(0, rows);
  }

  /** The sections with room for a title, and at least one row unless empty. */
  #shownSections(rows: number): readonly Section[] {
    const shown: Section[] = [];
    let left = rows;
    for (const section of this.#sections) {
      const needed = section.rows.length > 0 ? 2 : 1;
      if (needed > left) break;
      left -= needed;
      shown.push(section);
    }
    return shown;
  }

  #sectionLines(section: Section, { rows, columns }: Size, hasColor: boolean): string[] {
    const { title, empty, hasMore } = section;
    const count = section.rows.length;
    const from = this.#rows.indexOf(section.rows[0]!);
    const selected = count > 0 ? this.#selected - from : -1;
    const isHere = selected >= 0 && selected < count;
    const before = this.#starts.get(title) ?? 0;
    const start = windowStart({ count, rows, selected: isHere ? selected : before, before });
    this.#starts.set(title, start);
    const more = hasMore ? `${count} or more` : String(count);
    const part = count > rows ? `  ${start + 1} to ${start + rows} of ${more}` : ` (${more})`;
    const heading = count === 0
      ? [{ text: title, style: "active" as const }, { text: `: ${empty}`, style: "dim" as const }]
      : [{ text: title, style: "active" as const }, { text: part, style: "dim" as const }];
    const widths = columnWidths(section, columns - 2, this.#sections);
    const lines = section.rows.slice(start, start + rows).map((row, index) => {
      const isSelected = isHere && start + index === selected;
      const spans = [{ text: isSelected ? "> " : "  " }, ...rowSpans(row.fields, widths)];
      return formatLine(spans, { columns, hasColor, isSelected });
    });
    return [formatLine(heading, { columns, hasColor }), ...lines];
  }

  #select(index: number): void {
    this.#selected = index;
    this.#key = this.#rows[index]?.key ?? "";
  }

  /** Rows come and go: the same one stays selected, or else the one in its place. */
  #keepSelection(): void {
    if (this.#key === null) return void (this.#selected = 0);
    const found = this.#rows.findIndex(({ key }) => key === this.#key);
    this.#select(found >= 0 ? found : Math.max(0, Math.min(this.#selected, this.#rows.length - 1)));
  }
}

function headLine(
  { status, nodes }: TopData,
  { nowMs, caller, isAway }: OverviewLook,
  columns: number,
): readonly Span[] {
  const clock: Span = { text: clockText(nowMs), style: isAway ? "bad" : "dim" };
  if (status === null) return [{ text: "jobctl top  " }, clock];
  const { workers } = status;
  const startedMs = msOf(status.startedAt);
  const live = nodes.filter(({ state }) => state === "live").length;
  const left: Span[] = [
    { text: status.node, style: "active" },
    { text: `  ${status.version}`, style: "dim" },
    ...(startedMs === undefined || startedMs > nowMs
      ? []
      : [{ text: `  up ${roughDuration(nowMs - startedMs)}`, style: "dim" as const }]),
    ...(workers ? [{ text: `  ${workers.busy} of ${workers.count} workers busy` }] : []),
    ...(live > 1 ? [{ text: `  ${live} nodes` }] : []),
    ...(caller?.role === "viewer" ? [{ text: "  viewer", style: "warn" as const }] : []),
  ];
  const used = left.reduce((sum, { text }) => sum + displayWidth(text), 0);
  const gap = columns - used - clock.text.length;
  return gap < 2 ? left : [...left, { text: " ".repeat(gap) }, clock];
}

function countsLine({ totals }: TopData): readonly Span[] {
  if (totals === null) return [];
  const failed = totals.terminated + totals.timedOut;
  return [
    { text: `${totals.processing} running`, style: totals.processing > 0n ? "active" : "dim" },
    { text: `  ${totals.scheduled} waiting`, style: totals.scheduled > 0n ? undefined : "dim" },
    { text: `  ${totals.completed} done`, style: "dim" },
    { text: `  ${failed} failed`, style: failed > 0n ? "bad" : "dim" },
    { text: `  ${totals.canceled} canceled`, style: "dim" },
  ];
}

/** Reasons that keep jobs from running, and limits of the view. */
function alertLines(
  { status, pauses, problem }: TopData,
  { isAway }: OverviewLook,
  filter: string,
): readonly (readonly Span[])[] {
  const alerts: Span[] = [];
  const add = (text: string | false | undefined, style: Span["style"]) => {
    if (text) alerts.push({ text, style });
  };
  add(isAway && "disconnected, trying again", "bad");
  add(problem !== null && problem, "bad");
  add(status?.storeProblem && `Store: ${status.storeProblem}`, "bad");
  add(status?.isDraining && "The daemon is stopping: it starts no more runs", "warn");
  const isAllPaused = pauses.some(({ kind }) => kind === undefined);
  const kinds = pauses.flatMap(({ kind }) => kind ?? []);
  add(isAllPaused && "All jobs are paused: P resumes", "warn");
  add(!isAllPaused && kinds.length > 0 && `Paused: ${kinds.join(", ")}`, "warn");
  add(status?.reloadProblem && `Config: ${status.reloadProblem}`, "bad");
  for (const problem of status?.listenerProblems ?? []) add(problem, "bad");
  const disabled = status?.disabled ?? [];
  add(
    disabled.length > 0 &&
      `${countText(disabled.length, "job")} disabled: ${
        disabled.map(({ kind }) => kind).join(", ")
      }`,
    "bad",
  );
  const shown = alerts.slice(0, ALERTS_MAX);
  if (filter !== "") {
    shown.push({ text: `Only kinds with "${filter}": Esc shows all`, style: "warn" });
  }
  return shown.map((span) => [span]);
}
