import type { Instant } from "../../../platform/clock.ts";
import type { RecordKey, RecordStore, StoreMark, StoreRecord } from "../../records.ts";
import type { Committed } from "../../store.ts";
import { checkLimit } from "../checks.ts";
import { markAt, setMark } from "./marks.ts";
import { findProblems } from "./problems.ts";
import type { Freshness } from "../owner.ts";
import { readRecords, removeRecords, writeRecords } from "./records.ts";
import type { LedgerState, Moment } from "../state.ts";

/** The operations and reads of a ledger. */
export interface LedgerAccess {
  write<T>(
    action: string,
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
  ): Promise<Committed<T>>;
  read<T>(
    action: string,
    read: (state: LedgerState) => T | Promise<T>,
    freshness?: Freshness,
  ): Promise<T>;
  /** The wall time of the last operation, epoch ms. */
  lastWallMs(): number;
  /** Yields to everything else waiting in the event loop. */
  turn(): Promise<void>;
}

/** The records of a ledger store. */
export class LedgerRecords implements RecordStore {
  readonly #access: LedgerAccess;

  constructor(access: LedgerAccess) {
    this.#access = access;
  }

  async readRecords(request: { readonly after: RecordKey | null; readonly limit: number }) {
    const page = await this.#access.read("read records", (state) => readRecords(state, request));
    await this.#access.turn();
    return page;
  }

  writeRecords(request: { readonly at: Instant; readonly records: readonly StoreRecord[] }) {
    return this.#access.write(
      "write records",
      request.at,
      (state) => writeRecords(state, request.records),
    );
  }

  removeRecords(request: { readonly at: Instant; readonly keys: readonly RecordKey[] }) {
    return this.#access.write(
      "remove records",
      request.at,
      (state) => removeRecords(state, request.keys),
    );
  }

  getMark() {
    const { lastWallMs, read } = this.#access;
    return read("read the store's mark", (state) => markAt(state, lastWallMs()));
  }

  setMark(request: { readonly at: Instant; readonly mark: StoreMark | null }) {
    return this.#access.write(
      "mark the store",
      request.at,
      (state) => setMark(state, request.mark),
    );
  }

  async findProblems({ limit }: { readonly limit: number }) {
    checkLimit(limit, "check for problems");
    const { read, turn } = this.#access;
    return await read("check for problems", (state) => findProblems(state, limit, turn));
  }

  removeOrphans({ at, limit }: { readonly at: Instant; readonly limit: number }) {
    return this.#access.write("delete orphans", at, (state) => {
      checkLimit(limit, "delete orphans");
      const count = state.tables.maintenance.removeOrphans(limit);
      if (count > 0) state.isDirty = true;
      return count;
    });
  }

  size() {
    return this.#access.read(
      "measure the store",
      (state) => state.tables.maintenance.size(),
      "own",
    );
  }

  compact() {
    const compact = (state: LedgerState) => state.tables.maintenance.compact();
    return this.#access.read("compact the store", compact, "own");
  }
}
