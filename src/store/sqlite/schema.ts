import type { DatabaseSync } from "node:sqlite";
import { VERSION } from "../../platform/version.ts";

/** "TJob": identifies our databases in the file's header. */
export const APPLICATION_ID = 0x544a6f62;

/**
 * Steps from each format to the next: step n makes format n + 1. A released step never changes.
 *
 * `seq` is the order of acceptance. Creation times never decrease with it, so it also orders by
 * time. Kinds are numbers, to keep the indexes of every transition small. Every index is needed by
 * an operation: each costs a write per instance. `extra` is JSON of members that few instances
 * have.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  at INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO meta SELECT 1,
  substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' || substr(h, 18, 3) || '-' || substr(h, 21),
  0, 0, 0, 0 FROM (SELECT lower(hex(randomblob(16))) AS h);

CREATE TABLE kind (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL DEFAULT 0,
  scheduled INTEGER NOT NULL DEFAULT 0,
  processing INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  terminated INTEGER NOT NULL DEFAULT 0,
  canceled INTEGER NOT NULL DEFAULT 0,
  timed_out INTEGER NOT NULL DEFAULT 0,
  ready INTEGER NOT NULL DEFAULT 0,
  later INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE instance (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  kind INTEGER NOT NULL REFERENCES kind,
  state INTEGER NOT NULL,
  ready INTEGER,
  priority INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  scheduled_at INTEGER NOT NULL,
  processed_at INTEGER,
  settled_at INTEGER,
  expire_at INTEGER,
  cancel_at INTEGER,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  node TEXT,
  reason TEXT,
  queue_key TEXT,
  unique_key TEXT,
  schedule_id TEXT,
  scheduled_for INTEGER,
  retry_of TEXT,
  retry_max INTEGER NOT NULL,
  crashes_max INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL,
  keep_success_ms INTEGER NOT NULL,
  keep_failure_ms INTEGER NOT NULL,
  arguments TEXT NOT NULL,
  results TEXT,
  error TEXT
) STRICT;
CREATE UNIQUE INDEX instance_id ON instance (id);
CREATE INDEX instance_kind_state ON instance (kind, state);
CREATE INDEX instance_ready ON instance (kind, priority, due_at) WHERE ready = 1;
CREATE INDEX instance_later ON instance (due_at) WHERE ready = 0;
CREATE INDEX instance_later_kind ON instance (kind, due_at) WHERE ready = 0;
CREATE INDEX instance_expire ON instance (expire_at) WHERE expire_at IS NOT NULL;
CREATE INDEX instance_unique_key ON instance (unique_key) WHERE unique_key IS NOT NULL;
CREATE UNIQUE INDEX instance_open_key ON instance (unique_key) WHERE unique_key IS NOT NULL AND state < 3;
CREATE INDEX instance_schedule ON instance (schedule_id) WHERE schedule_id IS NOT NULL;
CREATE INDEX instance_open_schedule ON instance (schedule_id) WHERE schedule_id IS NOT NULL AND state < 3;
CREATE INDEX instance_retry_of ON instance (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE departure (
  instance INTEGER NOT NULL REFERENCES instance,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  node TEXT,
  processed_at INTEGER NOT NULL,
  scheduled_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (instance, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
  place INTEGER PRIMARY KEY,
  instance INTEGER NOT NULL REFERENCES instance,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  level TEXT NOT NULL,
  source TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX log_instance ON log (instance);
CREATE INDEX log_at ON log (at);

CREATE TABLE schedule (
  id TEXT PRIMARY KEY,
  cursor INTEGER NOT NULL,
  next_at INTEGER,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_next ON schedule (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE tick (
  schedule_id TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  fate TEXT NOT NULL,
  reason TEXT,
  instance_id TEXT,
  at INTEGER NOT NULL,
  PRIMARY KEY (schedule_id, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX tick_at ON tick (at);

-- An empty kind stands for all.
CREATE TABLE pause (
  kind TEXT PRIMARY KEY,
  until INTEGER,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `
-- ready: 0 not yet due, 1 offered to claims, 2 behind the first of its queue; null when it does not wait.
ALTER TABLE kind ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN version TEXT;
ALTER TABLE instance ADD COLUMN deadline_at INTEGER;
ALTER TABLE instance ADD COLUMN extra TEXT;
CREATE INDEX instance_queue ON instance (kind, queue_key, ready, priority, due_at) WHERE queue_key IS NOT NULL AND ready > 0;
CREATE INDEX instance_deadline ON instance (deadline_at) WHERE deadline_at IS NOT NULL AND state = 1;

-- A place is never used again: who follows the log goes on after one.
ALTER TABLE log RENAME TO log_before;
CREATE TABLE log (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  instance INTEGER NOT NULL REFERENCES instance,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  level TEXT NOT NULL,
  source TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
INSERT INTO log SELECT * FROM log_before;
DROP TABLE log_before;
CREATE INDEX log_instance ON log (instance);
CREATE INDEX log_at ON log (at);

CREATE TABLE hold (
  kind TEXT NOT NULL,
  queue_key TEXT NOT NULL,
  until INTEGER NOT NULL,
  stamp TEXT NOT NULL,
  PRIMARY KEY (kind, queue_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_until ON hold (until);
CREATE INDEX hold_kind_until ON hold (kind, until);

-- Starts that a rate counts, as JSON; an empty key is the whole kind.
CREATE TABLE rate (
  kind TEXT NOT NULL,
  queue_key TEXT NOT NULL,
  per_ms INTEGER NOT NULL,
  starts TEXT NOT NULL,
  expire_at INTEGER NOT NULL,
  PRIMARY KEY (kind, queue_key, per_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_expire ON rate (expire_at);
`,
  `
-- What is said of the whole store, by name, as JSON.
CREATE TABLE note (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `
-- Commits so far: compared at opening with the count that stands outside the file.
ALTER TABLE meta ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
`,
  `
-- Small documents; news is JSON of what waits to be processed into them.
CREATE TABLE memo (
  key TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  watch TEXT NOT NULL,
  data TEXT NOT NULL,
  news TEXT NOT NULL,
  dropped INTEGER NOT NULL
) STRICT;
`,
  `
-- Ticks without a run. Those with one are not in it, so it costs a schedule that runs nothing.
CREATE INDEX tick_gap ON tick (from_at) WHERE fate NOT IN ('fired', 'expected');
`,
  `
ALTER TABLE instance ADD COLUMN parent_id TEXT;
ALTER TABLE instance ADD COLUMN flow_id TEXT;
CREATE INDEX instance_parent ON instance (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX instance_flow ON instance (flow_id) WHERE flow_id IS NOT NULL;
`,
];

/** Format of a file that this version writes; a newer one is refused. */
export const FILE_FORMAT = MIGRATIONS.length;

/** The first format with the table `note`. */
const NOTES_SINCE = 3;

/** The version of the program that made this format of a database; null if unrecorded. */
export function madeBy(db: DatabaseSync): unknown {
  try {
    const found = db.prepare(
      "SELECT substr(value, 1, 100) AS value FROM note WHERE name = 'made by'",
    ).get();
    return found === undefined ? null : JSON.parse(found.value as string);
  } catch {
    // A newer version may keep it elsewhere.
    return null;
  }
}

/** Migrate a database to the newest format in one transaction: a crash leaves the old one. */
export function migrate(
  db: DatabaseSync,
  format: number,
  migrations: readonly string[] = MIGRATIONS,
): void {
  if (format === migrations.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const step of migrations.slice(format)) db.exec(step);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    if (migrations.length >= NOTES_SINCE) {
      db.prepare("INSERT OR REPLACE INTO note (name, value) VALUES ('made by', ?)")
        .run(JSON.stringify(VERSION));
    }
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}
