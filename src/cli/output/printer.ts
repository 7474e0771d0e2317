import type { CliIo } from "../io.ts";
import type { OutputFormat } from "./format.ts";
import type { Plain, PlainRecord, View } from "./view.ts";
import { makeJsonVisible, makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { formatTable, paint, type Style } from "./table.ts";
import { formatYaml } from "./yaml.ts";

/** Lists are written in blocks of about this many characters. */
const BLOCK_CHARS = 65_536;

/** Writes results to stdout in the requested form, and notes to stderr. */
export interface Printer {
  readonly format: OutputFormat;
  /** True for the forms for people: `table` and `wide`. */
  readonly isHuman: boolean;
  readonly nowMs: number;
  one<T>(view: View<T>, item: T): Promise<void>;
  list<T>(view: View<T>, items: AsyncIterable<T> | Iterable<T>): Promise<void>;
  /** A list that grows while it is written: each item at once, `json` as `jsonl`. */
  stream<T>(view: View<T>, items: AsyncIterable<T>): Promise<void>;
  /** A value that is not a record; `name` writes it as `table` does. */
  value(value: Plain, text: string): Promise<void>;
  /** A record, shown to people as `lines` instead of a table. */
  details(record: PlainRecord, name: string, lines: readonly string[]): Promise<void>;
  /** Text for people. The caller has made it safe for a terminal. */
  text(text: string): Promise<void>;
  paint(text: string, style: Style | undefined): string;
  /** A note on stderr; only on a terminal, so that stdout and stderr together are still JSON. */
  note(text: string): Promise<void>;
}

/** Settings from the command line and the terminal. */
export interface PrinterOptions {
  readonly format: OutputFormat;
  readonly hasColor: boolean;
  readonly isQuiet: boolean;
}

/** JSON text of plain data that is safe on a terminal, ended by a newline. */
export function formatJson(value: Plain, indent: number): string {
  return `${makeJsonVisible(JSON.stringify(value, null, indent))}\n`;
}

/** A printer for one run of a verb. */
export function createPrinter(io: CliIo, options: PrinterOptions): Printer {
  const { format, hasColor } = options;
  const isHuman = format === "table" || format === "wide";
  const write = (text: string) => io.stdout.write(text);
  // A pipe gets the text as it is. On a terminal, control characters are made visible.
  const safe = (text: string) => io.isTerminal ? makeLinesVisible(text) : text;

  const table = <T>(view: View<T>, items: readonly T[]) => {
    const { nowMs } = printer;
    const isWide = format === "wide";
    const columns = view.columns.filter((column) => isWide || !column.isWide);
    const rows = items.map((item) => columns.map((column) => column.cell(item, { nowMs, isWide })));
    const width = io.isTerminal && !isWide ? io.columns : null;
    return formatTable(columns, rows, { columns: width, hasColor });
  };

  const printer: Printer = {
    format,
    isHuman,
    // Read at each write: the verb may have waited for a run.
    get nowMs() {
      return io.clock.now().wallMs;
    },
    paint: (text, style) => paint(text, style, hasColor),
    text: write,
    async note(text) {
      if (options.isQuiet || !io.isTerminal) return;
      await io.stderr.write(`${makeLinesVisible(text)}\n`);
    },
    async one(view, item) {
      if (isHuman) return await write(table(view, [item]));
      if (format === "csv") return await printer.list(view, [item]);
      await write(formatRecord(format, view.record(item), view.name(item), safe));
    },
    async list(view, items) {
      if (!isHuman) {
        return await writeList(view, items, { format, blockChars: BLOCK_CHARS, write, safe });
      }
      if (view.line) {
        for await (const item of items) await write(`${view.line(item, printer.paint)}\n`);
        return;
      }
      const held = [];
      for await (const item of items) held.push(item);
      await write(table(view, held));
    },
    async stream(view, items) {
      if (isHuman) return await printer.list(view, items);
      const form = format === "json" ? "jsonl" : format;
      await writeList(view, items, { format: form, blockChars: 1, write, safe });
    },
    async value(value, text) {
      if (format === "json" || format === "jsonl") return await write(formatJson(value, 2));
      await write(format === "yaml" ? formatYaml(value) : `${safe(text)}\n`);
    },
    async details(record, name, lines) {
      if (isHuman) return await write(`${lines.join("\n")}\n`);
      await write(formatRecord(format, record, name, safe));
    },
  };
  return printer;
}

function formatRecord(
  format: OutputFormat,
  record: PlainRecord,
  name: string,
  safe: (text: string) => string,
): string {
  if (format === "json") return formatJson(record, 2);
  if (format === "jsonl") return formatJson(record, 0);
  if (format === "yaml") return formatYaml(record);
  if (format === "name") return `${makeVisible(name)}\n`;
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return safe(
    formatCsvLine(entries.map(([key]) => key)) + formatCsvLine(entries.map(([, value]) => value)),
  );
}

interface ListTarget {
  readonly format: OutputFormat;
  /** Text is written out once it has this many characters. */
  readonly blockChars: number;
  readonly write: (text: string) => Promise<void>;
  readonly safe: (text: string) => string;
}

async function writeList<T>(
  view: View<T>,
  items: AsyncIterable<T> | Iterable<T>,
  target: ListTarget,
): Promise<void> {
  const { format, write } = target;
  let block = format === "csv" ? formatCsvLine(view.keys) : "";
  let count = 0;
  for await (const item of items) {
    block += formatElement(view, item, { format, index: count, safe: target.safe });
    count += 1;
    if (block.length < target.blockChars) continue;
    await write(block);
    block = "";
  }
  if (format === "json") block += count === 0 ? "[]\n" : "\n]\n";
  if (format === "yaml" && count === 0) block += "[]\n";
  if (block !== "") await write(block);
}

function formatElement<T>(
  view: View<T>,
  item: T,
  at: {
    readonly format: OutputFormat;
    readonly index: number;
    readonly safe: (text: string) => string;
  },
): string {
  const { format } = at;
  if (format === "name") return `${makeVisible(view.name(item))}\n`;
  const record = view.record(item);
  if (format === "jsonl") return formatJson(record, 0);
  if (format === "yaml") return formatYaml([record]);
  if (format === "csv") return at.safe(formatCsvLine(view.keys.map((key) => record[key])));
  const json = formatJson(record, 2).trimEnd().replaceAll("\n", "\n  ");
  return `${at.index === 0 ? "[" : ","}\n  ${json}`;
}

function formatField(value: Plain | undefined): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A record of RFC 4180, with its line end. Absent values are empty; lists and objects are JSON. */
export function formatCsvLine(values: readonly (Plain | undefined)[]): string {
  return `${values.map(formatField).join(",")}\r\n`;
}
