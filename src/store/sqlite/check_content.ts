import { DatabaseSync } from "node:sqlite";
import { JOB_STATES } from "../../core/state.ts";
import type { StoreProblem } from "../records.ts";
import { COUNT_COLUMNS } from "./kinds.ts";
import { migrate, MIGRATIONS } from "./schema.ts";

/** The largest valid date, in epoch ms. */
const TIME_MAX = 8.64e15;
/** The largest number that can be read exactly. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
const FATES = ["fired", "skipped", "coalesced", "missed", "expected"];

/** Valid values of the columns of a table. */
interface TableRules {
  /** The column that identifies a row. */
  readonly key: string;
  /** True if it has few rows and is checked for any size of the file. */
  readonly isSmall?: true;
  /** Columns with times, epoch ms. */
  readonly times?: readonly string[];
  /** Columns with other numbers from 0. */
  readonly counts?: readonly string[];
  /** Columns with JSON. */
  readonly jsons?: readonly string[];
  /** Other columns, each with SQL over a row that is true (or null) if it is valid. */
  readonly others?: Readonly<Record<string, string>>;
}

const RULES: Readonly<Record<string, TableRules>> = {
  meta: { key: "id", isSmall: true, counts: ["epoch", "rev", "seq", "commits"], times: ["at"] },
  kind: { key: "name", isSmall: true, counts: COUNT_COLUMNS },
  schedule: {
    key: "id",
    isSmall: true,
    times: ["cursor"],
    jsons: ["record"],
    others: { next_at: `next_at BETWEEN cursor AND ${TIME_MAX}` },
  },
  pause: { key: "kind", isSmall: true, times: ["until", "at"] },
  note: { key: "name", isSmall: true, jsons: ["value"] },
  instance: {
    key: "seq",
    times: ["due_at", "created_at", "scheduled_at", "processed_at", "settled_at", "expire_at"]
      .concat(["cancel_at", "deadline_at", "scheduled_for"]),
    counts: ["attempt", "failures", "crashes", "fence", "crashes_max", "timeout_ms"]
      .concat(["keep_success_ms", "keep_failure_ms"]),
    jsons: ["arguments", "results", "error", "extra"],
    others: {
      seq: "instance.seq BETWEEN 1 AND (SELECT seq FROM meta)",
      state: `state BETWEEN 0 AND ${JOB_STATES.length - 1}`,
      ready: "ready BETWEEN 0 AND 2",
      kind: "kind IN (SELECT id FROM kind)",
      // -1 means any number of retries.
      retry_max: `retry_max BETWEEN -1 AND ${COUNT_MAX}`,
    },
  },
  memo: {
    key: "key",
    counts: ["version", "dropped"],
    jsons: ["news"],
    others: { watch: "watch IN ('failures', 'ends', 'never')" },
  },
  departure: {
    key: "instance",
    times: ["processed_at", "scheduled_at"],
    counts: ["fence"],
    others: { attempt: `attempt BETWEEN 1 AND ${COUNT_MAX}` },
  },
  tick: {
    key: "schedule_id",
    times: ["from_at", "at"],
    others: {
      to_at: `to_at BETWEEN from_at AND ${TIME_MAX}`,
      count: `count BETWEEN 1 AND ${COUNT_MAX}`,
      fate: `fate IN (${FATES.map((fate) => `'${fate}'`).join(", ")})`,
    },
  },
  log: { key: "place", times: ["at"], counts: ["attempt", "fence", "seq"] },
  hold: { key: "queue_key", times: ["until"] },
  rate: { key: "queue_key", times: ["expire_at"], counts: ["per_ms"], jsons: ["starts"] },
};

/** SQL over a row for each column with a rule: true (or null) if its value is valid. */
function validValues({ times = [], counts = [], jsons = [], others = {} }: TableRules) {
  return {
    ...Object.fromEntries(times.map((name) => [name, `${name} BETWEEN 0 AND ${TIME_MAX}`])),
    ...Object.fromEntries(counts.map((name) => [name, `${name} BETWEEN 0 AND ${COUNT_MAX}`])),
    ...Object.fromEntries(jsons.map((name) => [name, `json_valid(${name})`])),
    ...others,
  };
}

/** The tables and indexes of a database format. */
interface Parts {
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>;
  /** The SQL that creates each index, by name. */
  readonly indexes: ReadonlyMap<string, string>;
}

const partsByFormat = new Map<number, Parts>();

function partsOf(format: number): Parts {
  const known = partsByFormat.get(format);
  if (known !== undefined) return known;
  const whole = new DatabaseSync(":memory:");
  try {
    migrate(whole, 0, MIGRATIONS.slice(0, format));
    const indexes = indexesOf((sql) => whole.prepare(sql).all());
    const parts = { columns: columnsOf(whole), indexes };
    partsByFormat.set(format, parts);
    return parts;
  } finally {
    whole.close();
  }
}

/** Messages about tables and columns that a database of this format lacks. */
export function missingParts(db: DatabaseSync, format: number): readonly string[] {
  const existing = columnsOf(db);
  return [...partsOf(format).columns].flatMap(([table, columns]) => {
    const found = existing.get(table);
    if (found === undefined) return [`table "${table}" is missing`];
    return [...columns].filter((column) => !found.has(column)).map((column) =>
      `column "${column}" of table "${table}" is missing`
    );
  });
}

/**
 * Recreate missing indexes of a format: they only repeat data of the tables.
 *
 * @returns their names
 * @throws any error that SQLite finds in the rows, such as a duplicate id
 */
export function restoreIndexes(db: DatabaseSync, format: number): readonly string[] {
  const missing = missingIndexes((sql) => db.prepare(sql).all(), format);
  for (const [, sql] of missing) db.exec(sql);
  return missing.map(([name]) => name);
}

/** Indexes of a format that a database lacks, by name, with the SQL that creates each. */
export function missingIndexes(
  query: (sql: string) => unknown,
  format: number,
): readonly [name: string, sql: string][] {
  const existing = indexesOf(query);
  return [...partsOf(format).indexes].filter(([name]) => !existing.has(name));
}

function indexesOf(query: (sql: string) => unknown): Map<string, string> {
  const rows = query(
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
  ) as { readonly name: string; readonly sql: string }[];
  return new Map(rows.map(({ name, sql }) => [name, sql]));
}

function columnsOf(db: DatabaseSync): Map<string, Set<string>> {
  const rows = db.prepare(
    `SELECT t.name AS "table", c.name AS "column" FROM sqlite_master AS t, pragma_table_info(t.name) AS c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`,
  ).all() as { readonly table: string; readonly column: string }[];
  const tables = new Map<string, Set<string>>();
  for (const { table, column } of rows) {
    tables.set(table, (tables.get(table) ?? new Set()).add(column));
  }
  return tables;
}

/**
 * Impossible values: each affected column is reported once, with the number of rows and the first
 * one.
 *
 * @param all true to read large tables in full
 */
export function impossibleValues(
  query: (sql: string) => Readonly<Record<string, unknown>>,
  { all }: { readonly all: boolean },
): readonly StoreProblem[] {
  const problems: StoreProblem[] = [];
  if (query("SELECT count(*) AS count FROM meta").count !== 1) {
    problems.push({ check: "table meta", message: "it does not have exactly one row" });
  }
  for (const [table, rules] of Object.entries(RULES)) {
    const { key, isSmall } = rules;
    if (!isSmall && !all) continue;
    const valid = Object.entries(validValues(rules));
    const sums = valid.flatMap(([, isValid], index) => {
      const isWrong = `NOT (${isValid})`;
      return [
        `total(${isWrong}) AS count${index}`,
        `min(CASE WHEN ${isWrong} THEN ${table}.${key} END) AS first${index}`,
      ];
    });
    const found = query(`SELECT ${sums.join(", ")} FROM ${table}`);
    for (const [index, [name]] of valid.entries()) {
      const rows = Number(found[`count${index}`]);
      if (rows === 0) continue;
      const which = `the first with ${key} ${JSON.stringify(found[`first${index}`])}`;
      const message = `${rows} ${
        rows === 1 ? "row has" : "rows have"
      } an impossible ${name}, ${which}`;
      problems.push({ check: `table ${table}`, message });
    }
  }
  return problems;
}
