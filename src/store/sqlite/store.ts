import { GroupCommit, type LedgerOptions } from "../ledger/group.ts";
import { LedgerStore } from "../ledger/store.ts";
import type { SqliteOptions } from "./owned_database.ts";
import { SqliteTables } from "./tables.ts";

/**
 * A store in one SQLite file, durable when its promises resolve (write-ahead log,
 * synchronous=FULL). This process owns the file from opening to closing: a second owner is refused
 * with `conflict`, naming the first.
 */
export class SqliteStore extends LedgerStore {
  constructor(
    options: SqliteOptions & LedgerOptions & Required<Pick<LedgerOptions, "defer">> & {
      /** The file, created if missing; ":memory:" keeps everything in this process. */
      readonly path: string;
    },
  ) {
    const { path, clock, defer } = options;
    super((publish) => new GroupCommit(new SqliteTables(path, options), { clock, defer }, publish));
  }
}
