import { instanceChars } from "../core/payload_chars.ts";
import type { RecordPage, StoreRecord } from "./records.ts";

/** Characters at which a page is full, roughly: many small records, or one large one. */
const PAGE_CHARS = 1_000_000;
/** Potentially large records read at once: each may have arguments and results of 1 MiB. */
const LARGE_RECORDS = 32;
/** Characters of a record without its payload, roughly. */
const RECORD_CHARS = 300;

/**
 * A page of records as it fills, limited by number and size, so that the contents of a store do not
 * determine the memory of a reader.
 */
export class FillingPage {
  readonly #limit: number;
  readonly #records: StoreRecord[] = [];
  #chars = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#records.length >= this.#limit || this.#chars >= PAGE_CHARS;
  }

  /** How many records of a type to read next; at least one until the page is full. */
  wanted(type: StoreRecord["type"]): number {
    const left = this.#limit - this.#records.length;
    return type === "instance" || type === "schedule" ? Math.min(left, LARGE_RECORDS) : left;
  }

  add(...records: readonly StoreRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#chars += RECORD_CHARS + payloadChars(record);
    }
  }

  /** The page. @param isEnd whether nothing follows it */
  end(isEnd: boolean): RecordPage {
    return { records: this.#records, isEnd };
  }
}

function payloadChars(record: StoreRecord): number {
  switch (record.type) {
    case "instance":
      return instanceChars(record.instance);
    case "schedule":
      return record.schedule.argumentsJson.length;
    case "log":
      return record.line.message.length;
    default:
      return 0;
  }
}
