import type { Kinds } from "./kinds.ts";
import type { Statements, Value } from "./statements.ts";

/** A part of the tables, on the statements of one connection. */
export abstract class SqliteTable {
  protected readonly statements: Statements;
  protected readonly kinds: Kinds;

  constructor(statements: Statements, kinds: Kinds) {
    this.statements = statements;
    this.kinds = kinds;
  }

  /** The rows of a query whose columns are named like the members of `T`. */
  protected select<T>(sql: string, ...values: Value[]): T[] {
    // As plain objects: those of node:sqlite have no prototype.
    return this.statements.all(sql, ...values).map((fields) => ({ ...fields }) as T);
  }
}
