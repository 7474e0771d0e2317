import type { Instant } from "../platform/clock.ts";
import {
  canonicalText,
  comparePlaces,
  keyOf,
  type RecordKey,
  type RecordStore,
  type StoreRecord,
} from "../store/records.ts";
import { pagesOf, type RecordSource } from "./content.ts";

/** Most records in one write. */
const WRITE_RECORDS = 250;
/** Approximate limit of characters in one write: a few large records fill it too. */
const WRITE_CHARS = 1_000_000;

/** Counts of one pass. */
export interface Pass {
  /** Records in the source. */
  readonly read: number;
  readonly written: number;
  readonly removed: number;
}

/** The records of one side, one by one. */
async function* recordsOf(
  source: RecordSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoreRecord, null> {
  for await (const page of pagesOf(source, signal)) yield* page;
  return null;
}

/** Collects changes, and writes them in the order of places. */
class Changes {
  readonly #target: RecordStore;
  readonly #now: () => Instant;
  readonly #beforeWrite: (() => Promise<void>) | undefined;
  #records: StoreRecord[] = [];
  #keys: RecordKey[] = [];
  #chars = 0;
  written = 0;
  removed = 0;

  constructor(
    target: RecordStore,
    { now, beforeWrite }: {
      readonly now: () => Instant;
      readonly beforeWrite?: () => Promise<void>;
    },
  ) {
    this.#target = target;
    this.#now = now;
    this.#beforeWrite = beforeWrite;
  }

  async write(record: StoreRecord, text: string): Promise<void> {
    this.#records.push(record);
    this.#chars += text.length;
    const isFull = this.#records.length === WRITE_RECORDS || this.#chars > WRITE_CHARS;
    if (isFull) await this.flush();
  }

  async remove(key: RecordKey): Promise<void> {
    this.#keys.push(key);
    if (this.#keys.length === WRITE_RECORDS) await this.flush();
  }

  /** Removals come first: new records may need their keys. */
  async flush(): Promise<void> {
    if (this.#keys.length + this.#records.length > 0) await this.#beforeWrite?.();
    if (this.#keys.length > 0) {
      const request = { at: this.#now(), keys: this.#keys };
      this.removed += (await this.#target.removeRecords(request)).value;
    }
    if (this.#records.length > 0) {
      const request = { at: this.#now(), records: this.#records };
      this.written += (await this.#target.writeRecords(request)).value;
    }
    this.#keys = [];
    this.#records = [];
    this.#chars = 0;
  }
}

/**
 * Make the content of a store equal to a source's. Both are read side by side, and only differences
 * are written or removed. It may be interrupted anywhere and begun again.
 */
export async function copyRecords(
  source: RecordSource,
  target: RecordStore,
  options: {
    readonly now: () => Instant;
    readonly signal?: AbortSignal;
    /** Called with the number of source records read so far. */
    readonly read?: (count: number) => void;
    /** Called before each write; rejects if the target must not be written to. */
    readonly beforeWrite?: () => Promise<void>;
  },
): Promise<Pass> {
  const from = recordsOf(source, options.signal);
  const to = recordsOf(target, options.signal);
  const changes = new Changes(target, options);
  let read = 0;
  let wanted = (await from.next()).value;
  let there = (await to.next()).value;
  while (wanted || there) {
    const order = !wanted ? 1 : !there ? -1 : comparePlaces(keyOf(wanted), keyOf(there));
    if (wanted && order <= 0) {
      const text = canonicalText(wanted);
      // The head can only rise: it is written last, and not compared.
      const isSame = wanted.type === "head" || (order === 0 && text === canonicalText(there!));
      if (!isSame) await changes.write(wanted, text);
      read += 1;
      if (read % WRITE_RECORDS === 0) options.read?.(read);
      wanted = (await from.next()).value;
    }
    if (there && order >= 0) {
      if (order > 0 && there.type !== "head") await changes.remove(keyOf(there));
      there = (await to.next()).value;
    }
  }
  await changes.flush();
  return { read, written: changes.written, removed: changes.removed };
}
