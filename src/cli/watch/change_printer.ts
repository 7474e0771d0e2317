import type { AnyMessage } from "../../rpc/model/write_json.ts";
import type { CliIo } from "../io/io.ts";
import { stringify } from "../output/json.ts";
import { messageRecord } from "../output/message_record.ts";
import {
  nameOf,
  Printer,
  type PrinterOptions,
  type RecordOfMessage,
  type Subject,
} from "../output/printer.ts";
import { type Plain, type PlainRecord, recordOf, type View } from "../output/view.ts";

/** Text that is collected. */
export class TextBuffer {
  #text = "";

  write(text: string): Promise<void> {
    this.#text += text;
    return Promise.resolve();
  }

  /** Take the output since the last call. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

/** Fields that change as time passes, by the name of the message. */
const BEATS: Readonly<Record<string, readonly string[]>> = { "job.v1.Node": ["seen_at", "until"] };

function lastingRecord(message: AnyMessage): PlainRecord {
  const beats = BEATS[message.$typeName] ?? [];
  const entries = Object.entries(messageRecord(message));
  return Object.fromEntries(entries.filter(([key]) => !beats.includes(key)));
}

function fingerprint<T>(view: View<T>, item: T): string {
  return "fields" in view
    ? stringify(recordOf(view, item))
    : stringify(lastingRecord(item as AnyMessage));
}

/** Most items whose last state is remembered; the oldest are forgotten first. */
const KNOWN_MAX = 20_000;

/**
 * Prints the results of a verb that runs again and again: everything the first time, then only
 * additions and changes. Removed items are not printed.
 */
export class ChangePrinter extends Printer {
  readonly #buffer: TextBuffer;
  readonly #out: CliIo["stdout"];
  readonly #known = new Map<string, string>();
  readonly #notes = new Set<string>();
  #isFirst = true;

  /** @param io where the changes are printed */
  constructor(io: CliIo, options: PrinterOptions) {
    const buffer = new TextBuffer();
    // A list of JSON has no end, nor has a document of YAML.
    const format = options.format === "json" ? "jsonl" : options.format;
    super({ ...io, stdout: buffer }, { ...options, format });
    this.#buffer = buffer;
    this.#out = io.stdout;
  }

  /** The verb has run once: from now on, only changes are printed. */
  async flush(): Promise<void> {
    const text = this.#buffer.take();
    if (text !== "") await this.#out.write(text);
    this.#isFirst = false;
  }

  override async list<T>(view: View<T>, items: AsyncIterable<T> | Iterable<T>): Promise<void> {
    const changed: T[] = [];
    for await (const item of items) {
      if (this.#isNew(`${view.name(item)}`, fingerprint(view, item))) changed.push(item);
    }
    if (this.#isFirst) return await super.list(view, changed);
    if (changed.length === 0) return;
    const before = this.#buffer.take();
    // Lists begin with the newest item, but this output ends with it.
    await super.list(view, changed.toReversed());
    const text = this.#buffer.take();
    const hasHead = this.hasHead && view.line === undefined;
    await this.text(before + (hasHead ? text.slice(text.indexOf("\n") + 1) : text));
  }

  override async one<T>(view: View<T>, item: T): Promise<void> {
    await this.list(view, [item]);
  }

  override async details<T>(
    record: PlainRecord | ((of: RecordOfMessage) => PlainRecord),
    subject: Subject<T>,
    lines: readonly string[],
  ): Promise<void> {
    const made = typeof record === "function" ? record(lastingRecord) : record;
    if (!this.#isNew(nameOf(subject), stringify(made as Plain))) return;
    if (!this.#isFirst && this.isHuman) await this.text("\n");
    await super.details(record, subject, lines);
  }

  override async note(text: string): Promise<void> {
    if (this.#notes.has(text)) return;
    this.#notes.add(text);
    await super.note(text);
  }

  #isNew(name: string, text: string): boolean {
    const isNew = this.#known.get(name) !== text;
    this.#known.delete(name);
    this.#known.set(name, text);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
    return isNew;
  }
}
