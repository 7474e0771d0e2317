import { JobError } from "../../core/errors.ts";
import { JOB_STATES } from "../../core/state.ts";
import type { KindCounts } from "../ledger/tables/row.ts";
import type { KindTable } from "../ledger/tables/tables.ts";
import type { Statements, Values } from "./statements.ts";

/** The columns of table `kind` with counts: of the states, in their order, and then others. */
export const COUNT_COLUMNS: readonly string[] = [
  ...JOB_STATES.map((state) => state === "timedOut" ? "timed_out" : state),
  "ready",
  "later",
  "behind",
];
const SAVE = `UPDATE kind SET ${
  COUNT_COLUMNS.map((column) => `${column} = ?`).join(", ")
} WHERE id = ?`;

/** Kinds by name and number, with their stored counts. */
export class Kinds implements KindTable {
  readonly #statements: Statements;
  readonly #idByName = new Map<string, number>();
  readonly #nameById = new Map<number, string>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** The number of a kind, which is added if new. */
  idOf(name: string): number {
    const known = this.#idByName.get(name);
    if (known !== undefined) return known;
    this.#statements.run("INSERT OR IGNORE INTO kind (name) VALUES (?)", [name]);
    const id = this.#statements.get("SELECT id FROM kind WHERE name = ?", [name])!.id as number;
    this.#learn(id, name);
    return id;
  }

  /** The number of a kind with instances; −1 for any other. */
  knownId(name: string): number {
    return this.#idByName.get(name) ?? -1;
  }

  nameOf(id: number): string {
    return this.#nameById.get(id) ?? this.#readName(id);
  }

  // For a kind that the owner added after this connection read them.
  #readName(id: number): string {
    const row = this.#statements.get("SELECT name FROM kind WHERE id = ?", [id]);
    if (row === undefined) {
      throw new JobError("unavailable", `Cannot read an instance: there is no kind ${id}`, {
        hint: "The store is damaged: jobctl store verify names the instances",
      });
    }
    const name = row.name as string;
    this.#learn(id, name);
    return name;
  }

  /** Read all kinds again, without changes of a failed transaction. */
  read(): Map<string, KindCounts> {
    this.#idByName.clear();
    this.#nameById.clear();
    const counts = new Map<string, KindCounts>();
    for (const fields of this.#statements.all("SELECT * FROM kind ORDER BY id")) {
      const name = fields.name as string;
      this.#learn(fields.id as number, name);
      counts.set(name, {
        states: COUNT_COLUMNS.slice(0, JOB_STATES.length).map((column) => fields[column] as number),
        ready: fields.ready as number,
        later: fields.later as number,
        behind: fields.behind as number,
      });
    }
    return counts;
  }

  save(name: string, { states, ready, later, behind }: KindCounts): void {
    this.#statements.run(SAVE, [...states, ready, later, behind, this.idOf(name)]);
  }

  #learn(id: number, name: string): void {
    this.#idByName.set(name, id);
    this.#nameById.set(id, name);
  }
}

/** A part of the tables, on the statements of one connection. */
export abstract class SqliteTable {
  protected readonly statements: Statements;
  protected readonly kinds: Kinds;

  constructor(statements: Statements, kinds: Kinds) {
    this.statements = statements;
    this.kinds = kinds;
  }

  /** The rows of a query whose columns are named like the members of `T`. */
  protected select<T>(sql: string, values?: Values): T[] {
    // As plain objects: node:sqlite's rows have no prototype.
    return this.statements.all(sql, values).map((fields) => ({ ...fields }) as T);
  }
}
