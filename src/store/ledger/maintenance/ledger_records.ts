import type { Instant } from "../../../platform/clock.ts";
import type { RecordKey, RecordStore, StoreMark, StoreRecord } from "../../records.ts";
import type { Committed } from "../../store.ts";
import { checkLimit } from "../checks.ts";
import { markAt, setMark } from "./marks.ts";
import { findProblems } from "./problems.ts";
import { readRecords, removeRecords, writeRecords } from "./records.ts";
import type { LedgerState, Moment } from "../state.ts";

/** How the records of a ledger are reached: by its own transactions and readers. */
export interface LedgerAccess {
  write<T>(
    action: string,
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
  ): Promise<Committed<T>>;
  /** @throws JobError `unavailable` when it is not open */
  reader(action: string): LedgerState;
  /** The wall time of the last operation, epoch ms. */
  lastWallMs(): number;
  /** Resolves when what is read is as new as anything that anybody was answered. */
  synced(): Promise<void>;
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
    await this.#access.synced();
    const page = readRecords(this.#access.reader("read records"), request);
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

  async getMark() {
    await this.#access.synced();
    return markAt(this.#access.reader("read the store's mark"), this.#access.lastWallMs());
  }

  setMark(request: { readonly at: Instant; readonly mark: StoreMark | null }) {
    return this.#access.write(
      "mark the store",
      request.at,
      (state) => setMark(state, request.mark),
    );
  }

  async findProblems({ limit }: { readonly limit: number }) {
    checkLimit(limit, "look for problems");
    await this.#access.synced();
    const state = this.#access.reader("look for problems");
    return await findProblems(state, limit, () => this.#access.turn());
  }

  removeOrphans({ at, limit }: { readonly at: Instant; readonly limit: number }) {
    return this.#access.write("delete orphans", at, (state) => {
      checkLimit(limit, "delete orphans");
      const count = state.tables.maintenance.removeOrphans(limit);
      if (count > 0) state.isDirty = true;
      return count;
    });
  }

  async size() {
    return this.#access.reader("measure the store").tables.maintenance.size();
  }

  async compact() {
    this.#access.reader("compact the store").tables.maintenance.compact();
  }
}
