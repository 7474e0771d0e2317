import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { plainInstance } from "../../src/conformance/world/plain_instance.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { createIdSource } from "../../src/platform/ids.ts";
import type { LogRecord, StoreRecord } from "../../src/store/records.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

const DAY_MS = 86_400_000;
const MIB = 1_048_576;
const BATCH = 1_000;
/** More than a message holds. */
const LINES = 40_000;

type InstanceRecord = Extract<StoreRecord, { readonly type: "instance" }>;

/** JSON text of exactly so many bytes. */
function json(bytes: number): string {
  return JSON.stringify(["x".repeat(bytes - 4)]);
}

/**
 * A store whose records are far larger than a message: 600 instances with 9 kB of arguments (a page
 * of them exceeds a message), some with 1 MiB of arguments and of results, and LINES log lines.
 */
async function fill(path: string): Promise<void> {
  const store = new SqliteStore({ path, defer: systemClock.defer });
  const at = systemClock.now();
  const newId = createIdSource(systemClock, systemRandom);
  await store.open({ at, node: "n1" });
  const sizes = [...Array<number>(600).fill(9_000), ...Array<number>(6).fill(MIB)];
  const instances = sizes.map((size) =>
    plainInstance({
      id: newId(),
      dueAt: at.wallMs + DAY_MS,
      argumentsJson: json(size),
      keepSuccessMs: DAY_MS,
    })
  );
  await store.enqueue({ at, instances });
  const { records } = await store.records.readRecords({
    after: { type: "instance", order: sizes.length - 3 },
    limit: 3,
  });
  const completed = (records as InstanceRecord[]).map((record): InstanceRecord => ({
    ...record,
    instance: {
      ...record.instance,
      state: "completed",
      reason: "ok",
      settledAt: at.wallMs,
      attempt: 1,
      resultsJson: json(MIB),
    },
  }));
  assert.equal(completed.length, 3);
  await store.records.writeRecords({ at, records: completed });
  const { id: instanceId } = instances[0]!;
  for (let from = 0; from < LINES; from += BATCH) {
    const lines = Array.from({ length: BATCH }, (_, index): LogRecord => ({
      type: "log",
      order: from + index + 1,
      line: {
        ...{ instanceId, kind: "mail", attempt: 1, fence: 1, seq: from + index + 1 },
        ...{
          at: at.wallMs,
          level: "info",
          source: "job",
          message: `line ${from + index} ä\u{1f600}`,
        },
      },
    }));
    await store.records.writeRecords({ at, records: lines });
  }
  await store.close();
}

/** How many rows of a table one database has and the other has not. */
function differences(from: string, to: string, table: string): number {
  const db = new DatabaseSync(from);
  try {
    db.prepare("ATTACH ? AS other").run(to);
    const only = (left: string, right: string) =>
      `SELECT * FROM (SELECT * FROM ${left}.${table} EXCEPT SELECT * FROM ${right}.${table})`;
    const sql = `${only("main", "other")} UNION ALL ${only("other", "main")}`;
    return Number(db.prepare(`SELECT count(*) AS count FROM (${sql})`).get()!.count);
  } finally {
    db.close();
  }
}

test("store backup of a running daemon holds what is larger than its messages, and is restored whole", () =>
  withTempDir({}, async ({ path }) => {
    const [from, to] = [join(path, "from.db"), join(path, "to.db")];
    await fill(from);
    const daemon = await startDaemon({ env: { JOBCTL_STORE_URL: `sqlite:${from}` } });
    const backup = join(path, "backup.jsonl");
    try {
      const { code, stdout, stderr } = await daemon.jobctl(["store", "backup", backup]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout).counts, { instance: 606, log: LINES });
    } finally {
      await daemon.stop();
    }
    const { code, stderr } = await runJobctl(
      ["store", "restore", backup, "--store", `sqlite:${to}`],
      { cwd: path },
    );
    assert.equal(code, 0, stderr);
    for (const table of ["instance", "log", "departure"]) {
      assert.equal(differences(from, to, table), 0, table);
    }
    const db = new DatabaseSync(to);
    const sizes = db.prepare(
      "SELECT max(length(arguments)) AS a, max(length(results)) AS r FROM instance",
    );
    assert.deepEqual({ ...sizes.get() }, { a: MIB, r: MIB });
    db.close();
  }));
