import type { DatabaseSync } from "node:sqlite";
import type { StoreMark, StoreProblem, StoreSize } from "../records.ts";
import { impossibleValues } from "./check_content.ts";
import { INDEXES } from "./schema.ts";
import { toStoreError } from "./error.ts";
import type { Statements } from "./statements.ts";

/** What stands over the store. */
export function readMark(statements: Statements): StoreMark | null {
  const found = statements.get("SELECT value FROM note WHERE name = 'mark'");
  return found ? JSON.parse(found.value as string) as StoreMark : null;
}

/** Write what stands over the store, or forget it. */
export function saveMark(statements: Statements, mark: StoreMark | null): void {
  statements.run("DELETE FROM note WHERE name = 'mark'");
  if (mark === null) return;
  statements.run("INSERT INTO note (name, value) VALUES ('mark', ?)", JSON.stringify(mark));
}

/** The epoch becomes this. */
export function raiseEpoch(statements: Statements, epoch: number): void {
  statements.run("UPDATE meta SET epoch = ?", epoch);
}

/** Delete log lines and departures without an instance; answers how many. */
export function removeOrphans(statements: Statements, limit: number): number {
  const lines = statements.run(
    `DELETE FROM log WHERE place IN (SELECT place FROM log
     WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = log.instance) LIMIT ?)`,
    limit,
  );
  return lines + statements.run(
    `DELETE FROM departure WHERE (instance, attempt) IN (SELECT instance, attempt FROM departure
     WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = departure.instance) LIMIT ?)`,
    limit - lines,
  );
}

/** What SQLite finds wrong with the file, and rows that belong to nothing. */
export function findProblems(statements: Statements, limit: number): readonly StoreProblem[] {
  const problems: StoreProblem[] = statements.all(`PRAGMA integrity_check(${limit})`)
    .map((fields) => String(fields.integrity_check))
    .filter((text) => text !== "ok")
    .map((message) => ({ check: "integrity_check", message }));
  const there = new Set(
    statements.all("SELECT name FROM sqlite_master WHERE type = 'index'").map(({ name }) => name),
  );
  for (const name of INDEXES.filter((name) => !there.has(name))) {
    problems.push({ check: `index ${name}`, message: "it is missing" });
  }
  problems.push(...impossibleValues((sql) => statements.get(sql)!, { all: true }));
  for (const table of ["log", "departure"]) {
    const { count } = statements.get(
      `SELECT count(*) AS count FROM ${table}
       WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = ${table}.instance)`,
    )!;
    if (count === 0) continue;
    const what = table === "log" ? "log lines" : "departures";
    problems.push({ check: "orphans", message: `${count} ${what} without an instance` });
  }
  return problems;
}

/** How large the file is, and how much of it is free. */
export function sizeOf(statements: Statements): StoreSize {
  const read = (name: string) => statements.get(`PRAGMA ${name}`)![name] as number;
  const pageBytes = read("page_size");
  return {
    bytes: read("page_count") * pageBytes,
    freeBytes: read("freelist_count") * pageBytes,
  };
}

/** Write the file anew without what is free in it. */
export function compact(db: DatabaseSync, location: string): void {
  try {
    db.exec("VACUUM");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (thrown) {
    throw toStoreError(thrown, "compact", location);
  }
}

/** Give back the pages that SQLite keeps in memory: up to 32 MiB, which the system has too. */
export function shrinkMemory(db: DatabaseSync): void {
  db.exec("PRAGMA shrink_memory");
}
