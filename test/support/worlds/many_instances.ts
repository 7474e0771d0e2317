import type { DatabaseSync } from "node:sqlite";

/**
 * Copy the first instance of a SQLite store until there are `count`, with ids of their own. Counts
 * by kind are not changed.
 *
 * @param options.set other columns of the copies as SQL, where `n` is the seq
 */
export function multiplyInstance(
  db: DatabaseSync,
  options: { readonly count: number; readonly set?: Readonly<Record<string, string>> },
): void {
  const { count, set = {} } = options;
  const columns = db.prepare("SELECT name FROM pragma_table_info('instance')").all()
    .map((row) => String(row.name));
  const own: Readonly<Record<string, string>> = {
    seq: "n",
    id: "printf('019b76da-a800-7000-9000-%012x', n)",
    ...set,
  };
  const values = columns.map((name) => own[name] ?? name);
  db.exec("BEGIN");
  db.exec(`INSERT INTO instance (${columns.join(", ")})
    WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    SELECT ${values.join(", ")} FROM numbers, (SELECT * FROM instance WHERE seq = 1) AS first`);
  db.exec(`UPDATE meta SET seq = ${count}`);
  db.exec("COMMIT");
}
