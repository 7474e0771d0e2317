import type { DatabaseSync, StatementSync } from "node:sqlite";
import { toStoreError } from "./error.ts";

/** A value to bind or read. */
export type Value = string | number | null;
/** Values to bind to the parameters of a statement, in their order. */
export type Values = readonly Value[];
/** A row as SQLite returns it. */
export type Fields = Record<string, Value>;

/** Rows per insert statement: ten save a third of the time, more gain nothing. */
const INSERT_ROWS = 10;
const NONE: Values = [];

/** Unwritten rows of one table. */
interface Inserts {
  /** The statement up to its values. */
  readonly head: string;
  readonly columnCount: number;
  readonly values: Value[];
}

/** Prepared statements of one connection, each prepared once. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #onUse: () => void;
  #inserts: Inserts | null = null;

  /** @param onUse called before each statement */
  constructor(db: DatabaseSync, path: string, onUse: () => void = () => {}) {
    this.#db = db;
    this.#path = path;
    this.#onUse = onUse;
  }

  /** Run a statement. @returns the number of changed rows */
  run(sql: string, values: Values = NONE): number {
    this.#flush();
    return this.#write(sql, values);
  }

  get(sql: string, values: Values = NONE): Fields | undefined {
    this.#flush();
    try {
      return this.#prepare(sql).get(...values) as Fields | undefined;
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.#path);
    }
  }

  all(sql: string, values: Values = NONE): Fields[] {
    this.#flush();
    try {
      return this.#prepare(sql).all(...values) as Fields[];
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.#path);
    }
  }

  /** Read rows up to and including the first for which `isEnough` returns true. */
  some(sql: string, isEnough: (fields: Fields) => boolean, values: Values): Fields[] {
    this.#flush();
    const rows: Fields[] = [];
    try {
      for (const fields of this.#prepare(sql).iterate(...values)) {
        rows.push(fields as Fields);
        if (isEnough(fields as Fields)) break;
      }
      return rows;
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.#path);
    }
  }

  /**
   * Insert a row, grouped with the following ones. The group is written before any other statement
   * at the latest, and that statement then throws the group's error.
   *
   * @param head the statement up to its values: `INSERT INTO table (column, …)`
   */
  insert(head: string, row: readonly Value[]): void {
    if (this.#inserts !== null && this.#inserts.head !== head) this.#flush();
    this.#inserts ??= { head, columnCount: row.length, values: [] };
    const { values } = this.#inserts;
    for (const value of row) values.push(value);
    if (values.length === INSERT_ROWS * row.length) this.#flush();
  }

  /** Rewrite the file without its free space; outside a transaction. */
  compact(): void {
    try {
      this.#db.exec("VACUUM");
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (thrown) {
      throw toStoreError(thrown, "compact", this.#path);
    }
  }

  /** The transaction was rolled back, with its pending inserts. */
  forget(): void {
    this.#inserts = null;
  }

  #flush(): void {
    if (this.#inserts === null) return;
    const { head, columnCount, values } = this.#inserts;
    this.#inserts = null;
    this.#write(insertSql(head, columnCount, values.length / columnCount), values);
  }

  #write(sql: string, values: Values): number {
    try {
      return Number(this.#prepare(sql).run(...values).changes);
    } catch (thrown) {
      throw toStoreError(thrown, "write to", this.#path);
    }
  }

  #prepare(sql: string): StatementSync {
    this.#onUse();
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }
}

/** By head and number of rows. */
const insertTexts = new Map<string, string[]>();

/** The statement that inserts this many rows. */
function insertSql(head: string, columnCount: number, rowCount: number): string {
  let texts = insertTexts.get(head);
  if (!texts) insertTexts.set(head, texts = []);
  const row = `(${Array(columnCount).fill("?").join(", ")})`;
  return texts[rowCount] ??= `${head} VALUES ${Array(rowCount).fill(row).join(", ")}`;
}
