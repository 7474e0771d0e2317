import type { AnyMessage } from "../../rpc/model/write_json.ts";
import { type CliIo, writeIfRead } from "../io/io.ts";
import type { OutputFormat } from "./format.ts";
import { assertFields, columnField, fieldColumn, pickFields, plainText } from "./fields.ts";
import { formatJson } from "./json.ts";
import { type Column, type Plain, type PlainRecord, recordOf, type View } from "./view.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { shortIds } from "../../core/text/short_ids.ts";
import { type Cell, formatTable, formatTabs, type Heading, paint, type Style } from "./table.ts";
import { terminalText } from "./terminal_text.ts";
import { formatYaml } from "./yaml.ts";

/** Lists are written in blocks of about this many characters. */
const BLOCK_CHARS = 65_536;

/** Settings from the command line and the terminal. */
export interface PrinterOptions {
  readonly format: OutputFormat;
  /** True if tabs separate the columns of tables, unaligned. */
  readonly hasTabs: boolean;
  readonly hasColor: boolean;
  /** False if tables and CSV have no line of headings. */
  readonly hasHeader: boolean;
  readonly isQuiet: boolean;
  /** Names of the fields to write, in this order; null for all. */
  readonly fields: readonly string[] | null;
  /** True for the records of go-job instead of ours. */
  readonly isGoJob: boolean;
}

/** Makes the record of a message of the contract. */
export type RecordOfMessage = (message: AnyMessage) => PlainRecord;

/** The subject of a record: its name, or an item of a view, whose columns are then fields, too. */
export type Subject<T> = string | { readonly view: View<T>; readonly item: T };

/** The name of a subject, which `-o name` writes. */
export function nameOf<T>(subject: Subject<T>): string {
  return typeof subject === "string" ? subject : subject.view.name(subject.item);
}

/** Conversion of list items to data. */
export interface Records<T> {
  /** Every key of a record, in order. */
  readonly keys: () => readonly string[];
  readonly of: (item: T) => PlainRecord;
}

/** Writes results of one verb to stdout in the requested form, and notes to stderr. */
export class Printer {
  readonly #io: CliIo;
  readonly #options: PrinterOptions;
  /** True for the forms for people: `table` and `wide`. */
  readonly isHuman: boolean;
  /** The required form of arguments and results. */
  readonly values: "text" | "json";

  constructor(io: CliIo, options: PrinterOptions) {
    this.#io = io;
    this.#options = options;
    this.isHuman = options.format === "table" || options.format === "wide";
    this.values = this.isHuman || options.isGoJob ? "text" : "json";
  }

  get options(): PrinterOptions {
    return this.#options;
  }

  /** True if lists begin with a line of headings. A single field in a pipe is only its values. */
  get hasHead(): boolean {
    const { format, fields, hasTabs, hasHeader } = this.#options;
    if (!hasHeader) return false;
    return format === "csv" || (this.isHuman && !(hasTabs && fields?.length === 1));
  }

  /** A printer with the same settings that writes elsewhere. */
  writingTo(io: CliIo): Printer {
    return new Printer(io, this.#options);
  }

  /** Width for text for people; null for no limit. */
  get columns(): number | null {
    return this.#io.isTerminal && this.#options.format !== "wide" ? this.#io.columns : null;
  }

  /** An id as a table would show it: whole, except on a terminal. */
  readonly shortId = (id: string): string => this.columns === null ? id : shortIds([id])(id);

  /** True if a part of a record is written, so the verb has to fetch it. */
  wants(field: string): boolean {
    const { format, fields } = this.#options;
    return format !== "name" && (fields === null || fields.includes(field));
  }

  /** The time of each write: the verb may have waited for a run. */
  get nowMs(): number {
    return this.#io.clock.now().wallMs;
  }

  readonly paint = (text: string, style: Style | undefined): string =>
    paint(text, style, this.#options.hasColor);

  async one<T>(view: View<T>, item: T): Promise<void> {
    if (this.isHuman || this.#options.format === "csv") return await this.list(view, [item]);
    const { of } = await this.#records(view);
    await this.text(this.#formatRecord(of(item), view.name(item)));
  }

  /** A new item. With --quiet, text for people is only its name, for scripts. */
  async made<T>(view: View<T>, item: T): Promise<void> {
    const { isQuiet, fields } = this.#options;
    if (!isQuiet || !this.isHuman || fields !== null) return await this.one(view, item);
    await this.text(`${makeVisible(view.name(item))}\n`);
  }

  /** @param none a note for people in place of the headings of an empty list */
  async list<T>(
    view: View<T>,
    items: AsyncIterable<T> | Iterable<T>,
    none?: string,
  ): Promise<void> {
    if (!this.isHuman) return await this.#writeList(view, items, this.#options.format, BLOCK_CHARS);
    const columns = await this.#columnsOf(view);
    const rows: T[] = [];
    let count = 0;
    for await (const item of items) {
      count += 1;
      if (view.line) await this.#write(`${this.#line(view, columns, item)}\n`, items);
      else rows.push(item);
    }
    if (count === 0 && none !== undefined) await this.note(none);
    else if (!view.line) await this.text(this.#table(columns, rows, view.name));
  }

  /** A list that grows while it is written: each item at once, `json` as `jsonl`. */
  async stream<T>(view: View<T>, items: AsyncIterable<T>): Promise<void> {
    if (this.isHuman) return await this.list(view, items);
    const { format } = this.#options;
    await this.#writeList(view, items, format === "json" ? "jsonl" : format, 1);
  }

  /** A value that is not a record; `name` writes it like `table`. */
  async value(value: Plain, text: string): Promise<void> {
    const { format, isGoJob } = this.#options;
    const isJson = format === "json" || format === "jsonl";
    if (isJson && !isGoJob) return await this.text(formatJson(value, 2));
    await this.text(format === "yaml" ? formatYaml(value) : `${text}\n`);
  }

  /**
   * A record, shown to people as `lines` instead of a table, unless fields are requested.
   *
   * @param record the record, or a function that makes it from messages of the contract
   */
  async details<T>(
    record: PlainRecord | ((of: RecordOfMessage) => PlainRecord),
    subject: Subject<T>,
    lines: readonly string[],
  ): Promise<void> {
    const { fields } = this.#options;
    if (this.isHuman && fields === null) return await this.text(`${lines.join("\n")}\n`);
    const made = typeof record === "function" ? record(await this.#messageRecords()) : record;
    const name = nameOf(subject);
    if (fields === null) return await this.text(this.#formatRecord(made, name));
    const known = this.isHuman ? columnsOf(subject) : new Map<string, Column<PlainRecord>>();
    assertFields(fields, new Set([...known.keys(), ...Object.keys(made)]));
    if (!this.isHuman) return await this.text(this.#formatRecord(pickFields(made, fields), name));
    const columns = fields.map((field) =>
      known.get(field) ?? fieldColumn<PlainRecord>(field, (one) => one)
    );
    await this.text(this.#table(columns, [made], () => name));
  }

  /** The lines of a table within text for people. @param idOf the id of an item, if it has one */
  tableLines<T>(
    columns: readonly Column<T>[],
    items: readonly T[],
    idOf: (item: T) => string = String,
  ): string[] {
    return this.#aligned(columns, this.#rows(columns, items, idOf)).trimEnd().split("\n");
  }

  /** Text for people, made safe for a terminal even in a pipe; or data. */
  text(text: string): Promise<void> {
    return writeIfRead(this.#io.stdout, this.#shown(text));
  }

  #shown(text: string): string {
    return this.isHuman ? terminalText(text, this.#options.hasColor) : text;
  }

  /** Without a reader no more items are fetched: the error ends the verb. */
  #write(text: string, items: object): Promise<void> {
    return Symbol.asyncIterator in items
      ? this.#io.stdout.write(this.#shown(text))
      : this.text(text);
  }

  /** A note on stderr; only on a terminal, so that stdout and stderr together are still JSON. */
  async note(text: string): Promise<void> {
    if (this.#io.isTerminal) await this.remark(text);
  }

  /** A note on stderr, also off a terminal. */
  async remark(text: string): Promise<void> {
    if (!this.#options.isQuiet) await this.#io.stderr.write(`${makeLinesVisible(text)}\n`);
  }

  /** The columns of a view for people, or the requested ones. */
  async #columnsOf<T>(view: View<T>): Promise<readonly Column<T>[]> {
    const { format, fields } = this.#options;
    if (fields === null) {
      return view.columns.filter((column) => format === "wide" || !column.isWide);
    }
    const { keys, of } = await this.wholeRecords(view);
    const known = new Map(view.columns.map((column) => [columnField(column), column]));
    assertFields(fields, new Set([...known.keys(), ...keys()]));
    return fields.map((field) => known.get(field) ?? fieldColumn(field, of));
  }

  #line<T>(view: View<T>, columns: readonly Column<T>[], item: T): string {
    if (this.#options.fields === null) return view.line!(item, this);
    return formatTabs(this.#cells(columns, item, wholeId), this.#options.hasColor);
  }

  #cells<T>(columns: readonly Column<T>[], item: T, shortId: (id: string) => string): Cell[] {
    const at = { nowMs: this.nowMs, isWide: this.#options.format === "wide", shortId };
    return columns.map((column) => cellOf(column.cell(item, at)));
  }

  #table<T>(
    columns: readonly Column<T>[],
    items: readonly T[],
    idOf: (item: T) => string,
  ): string {
    const { hasTabs, hasColor } = this.#options;
    const rows = this.#rows(columns, items, idOf);
    if (!hasTabs) return this.#aligned(columns, rows);
    const head = this.hasHead ? [columns.map(({ title }) => ({ text: title }))] : [];
    return [...head, ...rows].map((row) => `${formatTabs(row, hasColor)}\n`).join("");
  }

  #rows<T>(
    columns: readonly Column<T>[],
    items: readonly T[],
    idOf: (item: T) => string,
  ): readonly (readonly Cell[])[] {
    const shortId = this.columns === null ? wholeId : shortIds(items.map(idOf));
    return items.map((item) => this.#cells(columns, item, shortId));
  }

  /** A column without values is omitted, unless requested. */
  #aligned(headings: readonly Heading[], rows: readonly (readonly Cell[])[]): string {
    const { fields, hasColor, hasHeader } = this.#options;
    const isShown = (_: unknown, index: number) =>
      fields !== null || rows.length === 0 || rows.some((row) => row[index]!.text !== "");
    return formatTable(
      headings.filter(isShown),
      rows.map((row) => row.filter(isShown)),
      { columns: this.columns, hasColor, hasHead: hasHeader },
    );
  }

  #formatRecord(record: PlainRecord, name: string): string {
    const { format, fields } = this.#options;
    if (format === "json") return formatJson(record, 2);
    if (format === "jsonl") return formatJson(record, 0);
    if (format === "yaml") return formatYaml(record);
    if (format === "name") return `${makeVisible(name)}\n`;
    // A requested field is a column, even without a value.
    const entries = Object.entries(record)
      .filter(([, value]) => fields !== null || value !== undefined);
    const [keys, values] = [entries.map(([key]) => key), entries.map(([, value]) => value)];
    return (this.hasHead ? formatCsvLine(keys) : "") + formatCsvLine(values);
  }

  /** @param blockChars text is written out once it has this many characters */
  async #writeList<T>(
    view: View<T>,
    items: AsyncIterable<T> | Iterable<T>,
    format: OutputFormat,
    blockChars: number,
  ): Promise<void> {
    // Names need no records, whose code is loaded for the others.
    const records = format === "name" ? null : await this.#records(view);
    const keys = records !== null && format === "csv" ? records.keys() : [];
    let block = format === "csv" && this.hasHead ? formatCsvLine(keys) : "";
    let count = 0;
    for await (const item of items) {
      if (format === "json") block += count === 0 ? "[\n  " : ",\n  ";
      block += records === null
        ? `${makeVisible(view.name(item))}\n`
        : this.#formatElement(records.of(item), keys, format);
      count += 1;
      if (block.length < blockChars) continue;
      await this.#write(block, items);
      block = "";
    }
    if (format === "json") block += count === 0 ? "[]\n" : "\n]\n";
    if (format === "yaml" && count === 0) block += "[]\n";
    if (block !== "") await this.text(block);
  }

  #formatElement(record: PlainRecord, keys: readonly string[], format: OutputFormat): string {
    if (format === "jsonl") return formatJson(record, 0);
    if (format === "yaml") return formatYaml([record]);
    if (format === "csv") return formatCsvLine(keys.map((key) => record[key]));
    return formatJson(record, 2).trimEnd().replaceAll("\n", "\n  ");
  }

  /** The records of a view with the requested fields. */
  async #records<T>(view: View<T>): Promise<Records<T>> {
    const { fields } = this.#options;
    const whole = await this.wholeRecords(view);
    if (fields === null) return whole;
    assertFields(fields, whole.keys());
    return { keys: () => fields, of: (item) => pickFields(whole.of(item), fields) };
  }

  async wholeRecords<T>(view: View<T>): Promise<Records<T>> {
    if ("fields" in view) {
      return { keys: () => Object.keys(view.fields), of: (item) => recordOf(view, item) };
    }
    const of = await this.#messageRecords();
    const { messageKeys } = await import("./message_record.ts");
    return {
      keys: () => messageKeys(`job.v1.${view.message}`),
      of: (item) => of(item as AnyMessage),
    };
  }

  /** Loaded only for data formats. */
  async #messageRecords(): Promise<RecordOfMessage> {
    const { isGoJob, fields } = this.#options;
    if (isGoJob) return (await import("./go_job.ts")).goJobRecord;
    const { messageRecord, wholeRecord } = await import("./message_record.ts");
    return fields === null ? messageRecord : wholeRecord;
  }
}

/** The columns of the view of a subject by their names as fields. */
function columnsOf<T>(subject: Subject<T>): ReadonlyMap<string, Column<PlainRecord>> {
  if (typeof subject === "string") return new Map();
  const { view, item } = subject;
  return new Map(view.columns.map((column) => [
    columnField(column),
    { ...column, cell: (_record, at) => column.cell(item, at) },
  ]));
}

function cellOf(field: Cell | string | number | undefined): Cell {
  return typeof field === "object" ? field : { text: String(field ?? "") };
}

function wholeId(id: string): string {
  return id;
}

function formatField(value: Plain | undefined): string {
  const text = plainText(value);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A record of RFC 4180, with its line end. Absent values are empty; lists and objects are JSON. */
export function formatCsvLine(values: readonly (Plain | undefined)[]): string {
  return `${values.map(formatField).join(",")}\r\n`;
}
