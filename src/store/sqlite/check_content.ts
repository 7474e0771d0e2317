import { DatabaseSync } from "node:sqlite";
import { JOB_STATES } from "../../core/state.ts";
import type { StoreProblem } from "../records.ts";
import { migrate, MIGRATIONS } from "./schema.ts";

/** The largest valid date, in epoch ms. */
const TIME_MAX = 8.64e15;
/** The largest number that can be read exactly. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
const FATES = ["fired", "skipped", "coalesced", "missed"];

/** Valid values of the columns of a table, as SQL over a row that is true (or null) if valid. */
interface TableRules {
  /** The column that identifies a row. */
  readonly key: string;
  readonly columns: Readonly<Record<string, string>>;
  /** True if it has few rows and is checked whatever the size of the file. */
  readonly isSmall: boolean;
}

const time = (name: string) => [name, `${name} BETWEEN 0 AND ${TIME_MAX}`] as const;
const count = (name: string) => [name, `${name} BETWEEN 0 AND ${COUNT_MAX}`] as const;
const json = (name: string) => [name, `json_valid(${name})`] as const;

const RULES: Readonly<Record<string, TableRules>> = {
  meta: {
    key: "id",
    isSmall: true,
    columns: Object.fromEntries([...["epoch", "rev", "seq", "commits"].map(count), time("at")]),
  },
  kind: {
    key: "name",
    isSmall: true,
    columns: Object.fromEntries(
      [
        ...JOB_STATES.map((state) => state === "timedOut" ? "timed_out" : state),
        ...["ready", "later", "behind"],
      ].map(count),
    ),
  },
  schedule: {
    key: "id",
    isSmall: true,
    columns: {
      ...Object.fromEntries([time("cursor"), json("record")]),
      next_at: `next_at BETWEEN cursor AND ${TIME_MAX}`,
    },
  },
  pause: { key: "kind", isSmall: true, columns: Object.fromEntries(["until", "at"].map(time)) },
  note: { key: "name", isSmall: true, columns: Object.fromEntries([json("value")]) },
  instance: {
    key: "seq",
    isSmall: false,
    columns: {
      ...Object.fromEntries(
        ["due_at", "created_at", "scheduled_at", "processed_at", "settled_at", "expire_at"]
          .concat(["cancel_at", "deadline_at", "scheduled_for"]).map(time),
      ),
      ...Object.fromEntries(
        ["attempt", "failures", "crashes", "fence", "retry_max", "crashes_max", "timeout_ms"]
          .concat(["keep_success_ms", "keep_failure_ms"]).map(count),
      ),
      ...Object.fromEntries(["arguments", "results", "error", "extra"].map(json)),
      seq: "instance.seq BETWEEN 1 AND (SELECT seq FROM meta)",
      state: `state BETWEEN 0 AND ${JOB_STATES.length - 1}`,
      ready: "ready BETWEEN 0 AND 2",
      kind: "kind IN (SELECT id FROM kind)",
    },
  },
  departure: {
    key: "instance",
    isSmall: false,
    columns: {
      attempt: `attempt BETWEEN 1 AND ${COUNT_MAX}`,
      ...Object.fromEntries([count("fence"), time("processed_at"), time("scheduled_at")]),
    },
  },
  tick: {
    key: "schedule_id",
    isSmall: false,
    columns: {
      ...Object.fromEntries([time("from_at"), time("at")]),
      to_at: `to_at BETWEEN from_at AND ${TIME_MAX}`,
      count: `count BETWEEN 1 AND ${COUNT_MAX}`,
      fate: `fate IN (${FATES.map((fate) => `'${fate}'`).join(", ")})`,
    },
  },
  log: {
    key: "place",
    isSmall: false,
    columns: Object.fromEntries([time("at"), count("attempt"), count("fence"), count("seq")]),
  },
  hold: { key: "queue_key", isSmall: false, columns: Object.fromEntries([time("until")]) },
  rate: {
    key: "queue_key",
    isSmall: false,
    columns: Object.fromEntries([count("per_ms"), time("expire_at"), json("starts")]),
  },
};

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
    const parts = { columns: columnsOf(whole), indexes: indexesOf(whole) };
    partsByFormat.set(format, parts);
    return parts;
  } finally {
    whole.close();
  }
}

/**
 * Messages about tables and columns of this format that are missing in a database.
 *
 * @param format number of migration steps applied
 */
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
 * Recreate missing indexes of a format: they hold nothing that the tables do not.
 *
 * @returns their names
 * @throws whatever SQLite finds in the rows, such as a duplicate id
 */
export function restoreIndexes(db: DatabaseSync, format: number): readonly string[] {
  const existing = indexesOf(db);
  const missing = [...partsOf(format).indexes].filter(([name]) => !existing.has(name));
  for (const [, sql] of missing) db.exec(sql);
  return missing.map(([name]) => name);
}

function indexesOf(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare(
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
  ).all() as { readonly name: string; readonly sql: string }[];
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
 * @param all whether to read large tables in full
 */
export function impossibleValues(
  query: (sql: string) => Readonly<Record<string, unknown>>,
  { all }: { readonly all: boolean },
): readonly StoreProblem[] {
  const problems: StoreProblem[] = [];
  if (query("SELECT count(*) AS count FROM meta").count !== 1) {
    problems.push({ check: "table meta", message: "it does not have exactly one row" });
  }
  for (const [table, { key, columns, isSmall }] of Object.entries(RULES)) {
    if (!isSmall && !all) continue;
    const names = Object.keys(columns);
    const sums = names.flatMap((name, index) => {
      const isWrong = `NOT (${columns[name]})`;
      return [
        `total(${isWrong}) AS count${index}`,
        `min(CASE WHEN ${isWrong} THEN ${table}.${key} END) AS first${index}`,
      ];
    });
    const found = query(`SELECT ${sums.join(", ")} FROM ${table}`);
    for (const [index, name] of names.entries()) {
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
