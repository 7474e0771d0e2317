import type { Instant } from "../../platform/clock.ts";
import { LedgerStore } from "../ledger/ledger_store.ts";
import { SqliteTables } from "./sqlite_tables.ts";

/**
 * A store in one SQLite file, durable when its promises resolve (write-ahead log, synchronous=FULL). This process owns the
 * file from opening to closing: a second owner is refused with `conflict`, naming the first.
 */
export class SqliteStore extends LedgerStore {
  constructor(
    options: {
      /** The file, made when it is missing; ":memory:" keeps everything in this process. */
      readonly path: string;
      /** Runs a callback after everything that this turn of the event loop brought: one turn is one transaction. */
      readonly defer: (callback: () => void) => void;
      /** The clock that counts for all, when several simulated nodes share the store. */
      readonly clock?: () => Instant;
      /** Most pages of 4 KiB that the file may have; beyond it the store is full. */
      readonly pagesMax?: number;
      /** "normal": acknowledged when the system has it, not when the disk has; a power loss takes the last transactions. */
      readonly fsync?: "full" | "normal";
    },
  ) {
    super(new SqliteTables(options.path, options), {
      clock: options.clock,
      defer: options.defer,
    });
  }
}
