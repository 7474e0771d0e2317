import { createHash } from "node:crypto";
import { JobError } from "../core/errors.ts";
import { FillingPage } from "../store/ledger/reading/record_page.ts";
import {
  canonicalText,
  isContent,
  keyOf,
  type RecordKey,
  type RecordPage,
  type RecordStore,
  type StoreRecord,
} from "../store/records.ts";

/** Records in one page. */
const PAGE_RECORDS = 500;

/** Number of records of each type, and a hash over all of them. */
export interface Content {
  readonly counts: Readonly<Record<string, number>>;
  /** SHA-256 of the canonical texts in the order of places, in hexadecimal. */
  readonly hash: string;
}

/** Computes the {@link Content} of a store, record by record in the order of places. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  readonly #counts: Record<string, number> = {};

  add(record: StoreRecord): void {
    if (!isContent(record)) return;
    this.#counts[record.type] = (this.#counts[record.type] ?? 0) + 1;
    this.#hash.update(`${canonicalText(record)}\n`);
  }

  /** Close the content added so far. Call it once. */
  end(): Content {
    return { counts: { ...this.#counts }, hash: this.#hash.digest("hex") };
  }
}

/** A source of records, in the order of places. */
export type RecordSource = Pick<RecordStore, "readRecords">;

/** Consecutive records as a source that can be read once. */
export function sourceOf(
  records: Iterator<StoreRecord> | AsyncIterator<StoreRecord>,
): RecordSource {
  return {
    async readRecords({ limit }) {
      const page = new FillingPage(limit);
      while (!page.isFull) {
        const { value, done } = await records.next();
        if (done) return page.end(true);
        page.add(value);
      }
      return page.end(false);
    },
  };
}

/** Every page of a source, from the first record. @throws JobError `canceled` if aborted */
export async function* pagesOf(
  source: RecordSource,
  signal?: AbortSignal,
): AsyncGenerator<readonly StoreRecord[]> {
  let after: RecordKey | null = null;
  for (;;) {
    checkSignal(signal);
    const page: RecordPage = await source.readRecords({ after, limit: PAGE_RECORDS });
    if (page.records.length > 0) {
      yield page.records;
      after = keyOf(page.records.at(-1)!);
    }
    if (page.isEnd) return;
  }
}

/** Read the content of a store. @param read called with the number of records read so far */
export async function contentOf(
  source: RecordSource,
  read?: (count: number) => void,
): Promise<Content> {
  const hash = new ContentHash();
  let count = 0;
  for await (const page of pagesOf(source)) {
    for (const record of page) hash.add(record);
    count += page.length;
    read?.(count);
  }
  return hash.end();
}

/** @throws JobError `canceled` if the work was aborted */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new JobError("canceled", "Stopped the work on the store: it was interrupted", {
      hint: "Run the same command again",
    });
  }
}
