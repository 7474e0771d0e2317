import type { Instant } from "../../platform/clock.ts";
import { checkBatch, checkLimit } from "../ledger/checks.ts";
import { FillingPage } from "../record_page.ts";
import {
  keyOf,
  RECORD_TYPES,
  type RecordKey,
  type RecordPage,
  type RecordStore,
  type StoreMark,
  type StoreProblem,
  type StoreRecord,
  type StoreSize,
} from "../records.ts";
import type { Committed } from "../store.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";
import { packKey, packRecord } from "./codec/records.ts";
import { RecordReads } from "./operations/record_reads.ts";

/** Reads and writes everything in a Valkey store as records. */
export class ValkeyRecords implements RecordStore {
  readonly #queue: OperationQueue;
  readonly #reads: RecordReads;

  constructor(queue: OperationQueue) {
    this.#queue = queue;
    this.#reads = new RecordReads(queue);
  }

  async readRecords(
    { after, limit }: { readonly after: RecordKey | null; readonly limit: number },
  ): Promise<RecordPage> {
    checkLimit(limit, "read records");
    const page = new FillingPage(limit);
    for (const type of RECORD_TYPES.slice(after ? RECORD_TYPES.indexOf(after.type) : 0)) {
      let from = after?.type === type ? after : null;
      for (;;) {
        const wanted = page.wanted(type);
        const found = await this.#reads.read(type, from, wanted);
        page.add(...found);
        if (page.isFull) return page.end(false);
        if (found.length < wanted) break;
        from = keyOf(found.at(-1)!);
      }
    }
    return page.end(true);
  }

  async writeRecords(
    { records }: { readonly at: Instant; readonly records: readonly StoreRecord[] },
  ): Promise<Committed<number>> {
    checkBatch(records.length, "write");
    return await this.#queue.write({
      family: "records",
      action: "writeRecords",
      weight: records.length,
      args: [records.map(packRecord)],
      read: (from) => from.read() as number,
    });
  }

  async removeRecords(
    { keys }: { readonly at: Instant; readonly keys: readonly RecordKey[] },
  ): Promise<Committed<number>> {
    checkBatch(keys.length, "remove");
    return await this.#queue.write({
      family: "records",
      action: "removeRecords",
      weight: keys.length,
      args: [keys.map(packKey)],
      read: (from) => from.read() as number,
    });
  }

  async getMark(): Promise<StoreMark | null> {
    return await this.#queue.read({
      family: "records",
      action: "getMark",
      read: (from) => {
        const text = from.read();
        return text === false ? null : JSON.parse(text as string) as StoreMark;
      },
    });
  }

  async setMark(
    { mark }: { readonly at: Instant; readonly mark: StoreMark | null },
  ): Promise<Committed<StoreMark | null>> {
    return await this.#queue.write({
      family: "records",
      action: "setMark",
      args: [
        mark && [
          mark.type,
          mark.type === "draining" ? mark.until : false,
          JSON.stringify(mark),
        ],
      ],
      read: (from) => {
        from.read();
        return mark;
      },
    });
  }

  async findProblems({ limit }: { readonly limit: number }): Promise<readonly StoreProblem[]> {
    checkLimit(limit, "check for problems");
    const problems: StoreProblem[] = await this.#reads.countProblems();
    let cursor = "0";
    do {
      const part = await this.#reads.rowProblems(cursor, limit);
      problems.push(...part.problems);
      cursor = part.cursor;
    } while (cursor !== "0" && problems.length < limit);
    return problems.slice(0, limit);
  }

  /** Remove log lines whose instance is gone. Ended attempts are removed with their instance. */
  async removeOrphans(
    { at, limit }: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<number>> {
    checkLimit(limit, "delete orphans");
    const keys = await this.#reads.orphans(limit);
    return await this.removeRecords({ at, keys });
  }

  async size(): Promise<StoreSize> {
    // The server only reports the size of all its users' data together.
    return { bytes: null, freeBytes: null };
  }

  async compact(): Promise<void> {
    // The server compacts its own data.
  }
}
