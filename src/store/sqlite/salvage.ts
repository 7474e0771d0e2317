import { existsSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { JobError, messageOf } from "../../core/errors.ts";
import type { StoredLogEntry } from "../../core/instance.ts";
import { checkState, isHeld } from "../ledger/tables/row.ts";
import type { StoreRecord } from "../records.ts";
import { SqliteEndedAttempts } from "./ended_attempts.ts";
import { readRow } from "./instances.ts";
import { Kinds } from "./kinds.ts";
import { readLine } from "./logs.ts";
import { findLostCommits } from "./lost_commits.ts";
import { SqliteMemos } from "./memos.ts";
import { SqlitePauses, SqliteSchedules } from "./schedules.ts";
import { toStoreError } from "./error.ts";
import { type Fields, Statements } from "./statements.ts";
import { checkStoreTrust } from "./store_files.ts";
import { SqliteTicks } from "./ticks.ts";

/** Rows read at a time, each up to 2 MiB; fewer where some cannot be read. */
const ROWS = 32;
/** Most jumps over an unreadable range, each twice as far as the last. */
const JUMPS_MAX = 50;
const ENDED_MAX = 100_000;

/** The readable and unreadable parts of a damaged database file. */
export class Salvage {
  readonly #statements: Statements;
  readonly #db: DatabaseSync;
  readonly #kinds: Kinds;
  /** The unreadable parts, for people. */
  readonly problems: string[] = [];
  readonly storeId: string;
  readonly epoch: number;

  /**
   * @throws JobError `unavailable` if SQLite cannot open the file at all, `permission_denied` as
   * {@link checkStoreTrust}
   */
  constructor(path: string) {
    if (!existsSync(path)) throw new JobError("not_found", `Cannot read "${path}": no such file`);
    // SQLite opens and creates files beside it.
    checkStoreTrust(path);
    try {
      this.#db = new DatabaseSync(path, { readOnly: true });
    } catch (thrown) {
      throw toStoreError(thrown, "read", path);
    }
    const lost = this.#try("commits", null, () => {
      return findLostCommits(statSync(path).size === 0 ? null : this.#db, path, { isSynced: true });
    });
    if (lost) this.problems.push(`commits: ${lost.found}`);
    this.#statements = new Statements(this.#db, path);
    this.#kinds = new Kinds(this.#statements);
    this.#try("kinds", null, () => this.#kinds.read());
    const meta = this.#try("meta", undefined, () => this.#statements.get("SELECT * FROM meta"));
    this.storeId = String(meta?.store_id ?? "unknown");
    this.epoch = Number(meta?.epoch ?? 0);
  }

  close(): void {
    this.#db.close();
  }

  /** Readable records in the order of places. */
  *records(): Generator<StoreRecord> {
    const [statements, kinds] = [this.#statements, this.#kinds];
    const all = { afterId: null, isReverse: false, limit: 1_000_000 };
    const schedules = new SqliteSchedules(statements, kinds);
    for (const schedule of this.#try("schedules", [], () => schedules.list(all))) {
      yield { type: "schedule", schedule };
    }
    const pauses = new SqlitePauses(statements, kinds);
    for (const pause of this.#try("pauses", [], () => pauses.all())) {
      yield { type: "pause", pause };
    }
    const ended = new SqliteEndedAttempts(statements, kinds);
    const known = new Map<number, Pick<StoredLogEntry, "instanceId" | "kind">>();
    for (const fields of this.#rows("instance", "seq")) {
      const read = () => checkState(readRow(kinds, fields));
      const row = this.#try(`instance ${fields.seq}`, null, read);
      if (!row) continue;
      const { instance, seq } = row;
      known.set(seq, { instanceId: instance.id, kind: instance.kind });
      const departures = this.#try("history", [], () => ended.list(seq, 1, ENDED_MAX));
      yield { type: "instance", order: seq, instance, isHeld: isHeld(row), departures };
    }
    const ticks = new SqliteTicks(statements, kinds);
    for (const fate of this.#try("ticks", [], () => ticks.all(null, 10_000_000))) {
      yield { type: "tick", fate };
    }
    const memos = new SqliteMemos(statements, kinds);
    const everyMemo = { prefix: "", after: null, limit: 1_000_000 };
    const format = this.#try("format", null, () => statements.get("PRAGMA user_version"));
    // Older formats than 5 lack them.
    if (Number(format?.user_version ?? 0) >= 5) {
      for (const memo of this.#try("memos", [], () => memos.list(everyMemo))) {
        yield { type: "memo", memo };
      }
    }
    for (const fields of this.#rows("log", "place")) {
      const owner = known.get(fields.instance as number);
      if (owner) {
        yield { type: "log", order: fields.place as number, line: readLine(fields, owner) };
      }
    }
  }

  /** Rows of a table by number, skipping unreadable ranges. */
  *#rows(table: string, key: string): Generator<Fields> {
    let after = 0;
    let limit = ROWS;
    let jumps = 0;
    let lostFrom: number | null = null;
    for (;;) {
      let found: readonly Fields[];
      try {
        const sql = `SELECT * FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ?`;
        found = this.#statements.all(sql, [after, limit]);
      } catch (thrown) {
        if (limit > 1) {
          limit = Math.floor(limit / 4) || 1;
          continue;
        }
        lostFrom ??= after + 1;
        jumps += 1;
        if (jumps > JUMPS_MAX) {
          this.problems.push(`${table}: from ${lostFrom} on (${messageOf(thrown)})`);
          return;
        }
        after += 2 ** jumps;
        continue;
      }
      if (found.length === 0) {
        if (lostFrom !== null) this.problems.push(`${table}: from ${lostFrom} on`);
        return;
      }
      if (lostFrom !== null) {
        this.problems.push(`${table}: some of ${lostFrom} to ${Number(found[0]![key]) - 1}`);
        lostFrom = null;
      }
      jumps = 0;
      yield* found;
      after = found.at(-1)![key] as number;
      limit = Math.min(ROWS, limit * 2);
    }
  }

  #try<T>(what: string, otherwise: T, read: () => T): T {
    try {
      return read();
    } catch (thrown) {
      this.problems.push(`${what}: ${messageOf(thrown)}`);
      return otherwise;
    }
  }
}
