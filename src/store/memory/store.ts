import { type LedgerOptions, LedgerStore } from "../ledger/store.ts";
import { MemoryTables } from "./tables.ts";

/**
 * A store in this process's memory: for libraries, tests and simulations.
 *
 * Closing keeps the data; opening again voids the leases that were held and takes their instances back, as opening a file
 * does. Without `defer` each operation runs at once.
 */
export class MemoryStore extends LedgerStore {
  constructor(options: LedgerOptions = {}) {
    super(new MemoryTables(), options);
  }
}
