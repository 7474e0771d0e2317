import type { Kinds } from "./kinds.ts";
import type { Statements } from "./statements.ts";

/** A part of the tables, on the statements of one connection. */
export abstract class SqliteTable {
  protected readonly statements: Statements;
  protected readonly kinds: Kinds;

  constructor(statements: Statements, kinds: Kinds) {
    this.statements = statements;
    this.kinds = kinds;
  }
}
