import { statSync } from "node:fs";
import type { MaintenanceTable } from "../ledger/tables/tables.ts";
import type { StoreMark, StoreProblem, StoreSize } from "../records.ts";
import { impossibleValues, missingIndexes } from "./check_content.ts";
import { SqliteTable } from "./kinds.ts";
import { FILE_FORMAT } from "./schema.ts";

/** The file as a whole: its mark, its size, and checks of its content. */
export class SqliteMaintenance extends SqliteTable implements MaintenanceTable {
  readMark(): StoreMark | null {
    const found = this.statements.get("SELECT value FROM note WHERE name = 'mark'");
    return found ? JSON.parse(found.value as string) as StoreMark : null;
  }

  saveMark(mark: StoreMark | null): void {
    this.statements.run("DELETE FROM note WHERE name = 'mark'");
    if (mark === null) return;
    this.statements.run("INSERT INTO note (name, value) VALUES ('mark', ?)", [
      JSON.stringify(mark),
    ]);
  }

  removeOrphans(limit: number): number {
    const lines = this.statements.run(
      `DELETE FROM log WHERE place IN (SELECT place FROM log
       WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = log.instance) LIMIT ?)`,
      [limit],
    );
    return lines + this.statements.run(
      `DELETE FROM departure WHERE (instance, attempt) IN (SELECT instance, attempt FROM departure
       WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = departure.instance) LIMIT ?)`,
      [limit - lines],
    );
  }

  findProblems(limit: number): readonly StoreProblem[] {
    const statements = this.statements;
    const problems: StoreProblem[] = statements.all(`PRAGMA integrity_check(${limit})`)
      .map((fields) => String(fields.integrity_check))
      .filter((text) => text !== "ok")
      .map((message) => ({ check: "integrity_check", message }));
    for (const [name] of missingIndexes((sql) => statements.all(sql), FILE_FORMAT)) {
      problems.push({ check: `index ${name}`, message: "it is missing" });
    }
    problems.push(...impossibleValues((sql) => statements.get(sql)!, { all: true }));
    for (const [table, rows] of [["log", "log lines"], ["departure", "departures"]]) {
      const { count } = statements.get(
        `SELECT count(*) AS count FROM ${table}
         WHERE NOT EXISTS (SELECT 1 FROM instance WHERE seq = ${table}.instance)`,
      )!;
      if (count === 0) continue;
      problems.push({ check: "orphans", message: `${count} ${rows} without an instance` });
    }
    return problems;
  }

  size(): StoreSize {
    const read = (name: string) => this.statements.get(`PRAGMA ${name}`)![name] as number;
    const pageBytes = read("page_size");
    const { file } = this.statements.get("PRAGMA database_list")!;
    return {
      bytes: read("page_count") * pageBytes,
      freeBytes: read("freelist_count") * pageBytes,
      walBytes: statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? null,
    };
  }

  compact(): void {
    this.statements.compact();
  }
}
