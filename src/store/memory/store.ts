import { GroupCommit, type LedgerOptions } from "../ledger/group.ts";
import { LedgerStore } from "../ledger/store.ts";
import { MemoryTables } from "./tables.ts";

/**
 * A store in this process's memory: for libraries, tests and simulations.
 *
 * Closing keeps the data. Opening again voids the leases and takes their instances back, like
 * opening a file. Without `defer` each operation runs at once.
 */
export class MemoryStore extends LedgerStore {
  constructor(options: LedgerOptions = {}) {
    super((publish) => new GroupCommit(new MemoryTables(), options, publish));
  }
}
