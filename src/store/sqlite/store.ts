import type { Instant } from "../../platform/clock.ts";
import { LedgerStore } from "../ledger/store.ts";
import type { SqliteOptions } from "./owned_database.ts";
import { SqliteTables } from "./tables.ts";

/**
 * A store in one SQLite file, durable when its promises resolve (write-ahead log, synchronous=FULL). This process owns the
 * file from opening to closing: a second owner is refused with `conflict`, naming the first.
 */
export class SqliteStore extends LedgerStore {
  constructor(
    options: SqliteOptions & {
      /** The file, made when it is missing; ":memory:" keeps everything in this process. */
      readonly path: string;
      /** Runs a callback after everything that this turn of the event loop brought: one turn is one transaction. */
      readonly defer: (callback: () => void) => void;
      /** The clock that counts for all, when several simulated nodes share the store. */
      readonly clock?: () => Instant;
    },
  ) {
    super(new SqliteTables(options.path, options), {
      clock: options.clock,
      defer: options.defer,
    });
  }
}
