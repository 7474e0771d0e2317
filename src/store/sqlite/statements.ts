import type { DatabaseSync, StatementSync } from "node:sqlite";
import { toStoreError } from "./sqlite_error.ts";

/** What can be bound and read. */
export type Value = string | number | null;
/** A row as SQLite gives it. */
export type Fields = Record<string, Value>;

/** Prepared statements of one connection, each prepared once. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /** Run a statement; answers how many rows it changed. */
  run(sql: string, ...values: Value[]): number {
    try {
      return Number(this.#prepare(sql).run(...values).changes);
    } catch (thrown) {
      throw toStoreError(thrown, "write to", this.#path);
    }
  }

  get(sql: string, ...values: Value[]): Fields | undefined {
    try {
      return this.#prepare(sql).get(...values) as Fields | undefined;
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.#path);
    }
  }

  all(sql: string, ...values: Value[]): Fields[] {
    try {
      return this.#prepare(sql).all(...values) as Fields[];
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.#path);
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }
}
