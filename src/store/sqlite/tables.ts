import { resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { JobError } from "../../core/errors.ts";
import type { Timer } from "../../platform/clock.ts";
import type { Head, OwnedTables } from "../ledger/tables/tables.ts";
import { type OpenRequest, STORE_FORMAT } from "../store.ts";
import { SqliteEndedAttempts } from "./ended_attempts.ts";
import { isBusy, toStoreError } from "./error.ts";
import { SqliteInstances } from "./instances.ts";
import { Kinds } from "./kinds.ts";
import { SqliteLimits } from "./limits.ts";
import { SqliteLogs } from "./logs.ts";
import { SqliteMaintenance } from "./maintenance.ts";
import { SqliteMemos } from "./memos.ts";
import { openInMemory, openReadOnly } from "./open_database.ts";
import { OwnedDatabase, type SqliteOptions } from "./owned_database.ts";
import { SqlitePauses, SqliteSchedules } from "./schedules.ts";
import { Statements } from "./statements.ts";
import { SqliteTicks } from "./ticks.ts";
import { SqliteWaiting } from "./waiting.ts";

/** Tables in one SQLite file that this process owns. */
export class SqliteTables implements OwnedTables {
  readonly type = "sqlite";
  readonly location: string;
  readonly isDurable: boolean;
  instances!: SqliteInstances;
  waiting!: SqliteWaiting;
  kinds!: Kinds;
  limits!: SqliteLimits;
  endedAttempts!: SqliteEndedAttempts;
  logs!: SqliteLogs;
  schedules!: SqliteSchedules;
  ticks!: SqliteTicks;
  pauses!: SqlitePauses;
  memos!: SqliteMemos;
  maintenance!: SqliteMaintenance;
  #db: DatabaseSync | null = null;
  #owned: OwnedDatabase | null = null;
  #statements!: Statements;
  readonly #isFile: boolean;
  /** Will release the pages in memory; null while none were used. */
  #releasing: Timer | null = null;
  readonly #options: SqliteOptions;

  /** @param path of the file, or ":memory:" */
  constructor(path: string, options: SqliteOptions = {}) {
    this.#options = options;
    this.#isFile = path !== ":memory:";
    this.isDurable = this.#isFile && options.fsync !== "normal";
    this.location = this.#isFile ? resolve(path) : path;
  }

  open(request: OpenRequest) {
    if (this.#isFile) {
      this.#owned = new OwnedDatabase(this.location, request.node, this.#options);
      this.#db = this.#owned.db;
    } else this.#db ??= openInMemory();
    const statements = this.#use(this.#db, () => this.#used());
    this.instances.readIdMax();
    if (!this.#isFile) statements.run("UPDATE meta SET epoch = epoch + 1");
    const { store_id, epoch } = statements.get("SELECT store_id, epoch FROM meta")!;
    return {
      storeId: store_id as string,
      epoch: epoch as number,
      format: STORE_FORMAT,
      ...this.readHead(),
    };
  }

  /** Open the file read-only beside its owner in this process. @returns the UUID of its data */
  openToRead(): string {
    this.#db = openReadOnly(this.location);
    const statements = this.#use(this.#db);
    return statements.get("SELECT store_id FROM meta")!.store_id as string;
  }

  close(): void {
    // A database in memory would be lost; the object keeps it for the next opening.
    if (!this.#isFile || !this.#db) return;
    this.#releasing?.cancel();
    this.#releasing = null;
    if (this.#owned) this.#owned.close();
    else this.#db.close();
    this.#db = null;
    this.#owned = null;
  }

  /** Undefined in memory. */
  get problem(): JobError | null | undefined {
    return this.#owned?.problem;
  }

  begin(): boolean {
    try {
      this.#db!.exec("BEGIN IMMEDIATE");
      return true;
    } catch (thrown) {
      if (isBusy(thrown)) return false;
      throw toStoreError(thrown, "write to", this.location);
    }
  }

  commit({ rev, at, seq }: Head): void {
    const sql = "UPDATE meta SET rev = ?, at = ?, seq = ?, commits = commits + 1";
    this.#statements.run(sql, [rev, at, seq]);
    try {
      this.#db!.exec("COMMIT");
    } catch (thrown) {
      throw toStoreError(thrown, "write to", this.location);
    }
    this.#owned?.noteCommit(at);
  }

  rollback(): void {
    this.#statements.forget();
    try {
      this.#db!.exec("ROLLBACK");
    } catch {
      // SQLite has already rolled back, as when the disk is full.
    }
  }

  /** Until {@link endRead}, all reads see the file at one moment. */
  beginRead(): void {
    try {
      this.#db!.exec("BEGIN");
    } catch (thrown) {
      throw toStoreError(thrown, "read", this.location);
    }
  }

  endRead(): void {
    try {
      this.#db!.exec("COMMIT");
    } catch {
      // It did not begin, and failed for that reason.
    }
  }

  readHead(): Head {
    const { rev, at, seq } = this.#statements.get("SELECT rev, at, seq FROM meta")!;
    return { rev: rev as number, at: at as number, seq: seq as number };
  }

  raiseEpoch(epoch: number): void {
    this.#statements.run("UPDATE meta SET epoch = ?", [epoch]);
  }

  /** Release the pages that SQLite keeps in memory: up to 32 MiB, which the system caches too. */
  rest(): void {
    this.#releasing?.cancel();
    this.#releasing = null;
    this.#db!.exec("PRAGMA shrink_memory");
  }

  #use(db: DatabaseSync, onUse?: () => void): Statements {
    const statements = this.#statements = new Statements(db, this.location, onUse);
    const kinds = this.kinds = new Kinds(statements);
    this.instances = new SqliteInstances(statements, kinds);
    this.waiting = new SqliteWaiting(statements, kinds);
    this.limits = new SqliteLimits(statements, kinds);
    this.endedAttempts = new SqliteEndedAttempts(statements, kinds);
    this.logs = new SqliteLogs(statements, kinds);
    this.schedules = new SqliteSchedules(statements, kinds);
    this.ticks = new SqliteTicks(statements, kinds);
    this.pauses = new SqlitePauses(statements, kinds);
    this.memos = new SqliteMemos(statements, kinds);
    this.maintenance = new SqliteMaintenance(statements, kinds);
    return statements;
  }

  // Regularly, not only when idle: a job that runs every second would keep the pages of a past
  // burst.
  #used(): void {
    const { later } = this.#options;
    this.#releasing ??= later?.(() => this.rest()) ?? null;
  }
}
