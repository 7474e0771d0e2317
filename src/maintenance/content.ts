import { createHash } from "node:crypto";
import { JobError } from "../core/errors.ts";
import {
  canonicalText,
  isContent,
  keyOf,
  type RecordKey,
  type RecordPage,
  type RecordStore,
  type StoreRecord,
} from "../store/records.ts";

/** Records of one page. */
const PAGE_RECORDS = 500;

/** How many records of each type there are, and a hash over all of them. */
export interface Content {
  readonly counts: Readonly<Record<string, number>>;
  /** SHA-256 of the canonical texts in the order of places, as hexadecimal digits. */
  readonly hash: string;
}

/** Adds up the content of a store, record by record in the order of places. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  readonly #counts: Record<string, number> = {};

  add(record: StoreRecord): void {
    if (!isContent(record)) return;
    this.#counts[record.type] = (this.#counts[record.type] ?? 0) + 1;
    this.#hash.update(`${canonicalText(record)}\n`);
  }

  /** What was added so far; call it once. */
  end(): Content {
    return { counts: { ...this.#counts }, hash: this.#hash.digest("hex") };
  }
}

/** What records are read from, in the order of places. */
export type RecordSource = Pick<RecordStore, "readRecords">;

/** Every page of a source, from the first record. @throws JobError `canceled` when the signal aborts */
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

/** What a store holds. @param read called with how many records were read so far */
export async function contentOf(
  source: RecordSource,
  options: { readonly signal?: AbortSignal; readonly read?: (count: number) => void } = {},
): Promise<Content> {
  const hash = new ContentHash();
  let count = 0;
  for await (const page of pagesOf(source, options.signal)) {
    for (const record of page) hash.add(record);
    options.read?.(count += page.length);
  }
  return hash.end();
}

/** @throws JobError `canceled` when nobody wants the work any more */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new JobError("canceled", "Did not finish the work on the store: nobody waits for it", {
      hint: "Run the same command again: it goes on",
    });
  }
}
