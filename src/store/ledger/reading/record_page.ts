import { instanceChars } from "../../../core/payload_chars.ts";
import { checkLimit } from "../checks.ts";
import {
  comparePlaces,
  keyOf,
  RECORD_TYPES,
  type RecordKey,
  type RecordPage,
  type StoreRecord,
} from "../../records.ts";

/** Characters at which a page is full, roughly: many small records, or one large one. */
const PAGE_CHARS = 1_000_000;
/** Potentially large records read at once: each may have arguments and results of 1 MiB. */
const LARGE_RECORDS = 32;
/** Characters of a record without its payload, roughly. */
const RECORD_CHARS = 300;

/**
 * A growing page of records, limited by number and size, so that a store's contents do not
 * determine a reader's memory.
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

  /** Number of records that still fit; at least one until it is full. */
  get left(): number {
    return this.#limit - this.#records.length;
  }

  add(...records: readonly StoreRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#chars += RECORD_CHARS + payloadChars(record);
    }
  }

  /** The page. @param isEnd true if nothing follows */
  end(isEnd: boolean): RecordPage {
    return { records: this.#records, isEnd };
  }
}

/**
 * A page of records after a place, in the order of places.
 *
 * @param read up to `limit` records of a type, after a place
 * @throws JobError `invalid_argument` without a valid limit
 */
export async function pageOfRecords(
  { after, limit }: { readonly after: RecordKey | null; readonly limit: number },
  read: (
    type: StoreRecord["type"],
    after: RecordKey | null,
    limit: number,
  ) => readonly StoreRecord[] | Promise<readonly StoreRecord[]>,
): Promise<RecordPage> {
  checkLimit(limit, "read records");
  const page = new FillingPage(limit);
  for (const type of RECORD_TYPES.slice(after ? RECORD_TYPES.indexOf(after.type) : 0)) {
    const isLarge = type === "instance" || type === "schedule";
    let from = after?.type === type ? after : null;
    for (;;) {
      const wanted = isLarge ? Math.min(page.left, LARGE_RECORDS) : page.left;
      const found = await read(type, from, wanted);
      page.add(...found);
      if (page.isFull) return page.end(false);
      if (found.length < wanted) break;
      from = keyOf(found.at(-1)!);
    }
  }
  return page.end(true);
}

/** Up to `limit` of these records after a place, in the order of places. */
export function inOrder(
  records: readonly StoreRecord[],
  after: RecordKey | null,
  limit: number,
): readonly StoreRecord[] {
  return records
    .filter((record) => !after || comparePlaces(keyOf(record), after) > 0)
    .toSorted((left, right) => comparePlaces(keyOf(left), keyOf(right)))
    .slice(0, limit);
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
