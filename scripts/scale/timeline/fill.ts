import { DatabaseSync } from "node:sqlite";
import type { Instance } from "../../../src/core/instance.ts";
import type { ScheduleRecord, ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { nextTickOf } from "../../../src/core/time/ticks.ts";
import type { StoreRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { USUAL_FIELDS } from "../../../src/store/instance_fields.ts";

const DAY_MS = 86_400_000;
/** Days over which the instances are spread. */
const DAYS = 31;
const BATCH = 1_000;
/** Batches under way at the same time. */
const BATCHES = 4;
const KINDS = 30;

/** What to write into a store. */
export interface Content {
  readonly instances: number;
  readonly schedules: number;
  readonly nowMs: number;
}

/**
 * Multiply the instances of a filled SQLite file, which takes a tenth of the time of writing them
 * one by one. The file may not be open.
 */
export function multiply(path: string, from: number, { instances, nowMs }: Content): void {
  const db = new DatabaseSync(path);
  const step = DAYS * DAY_MS / instances;
  const times = Math.ceil(instances / from);
  const columns = db.prepare("SELECT name FROM pragma_table_info('instance')").all()
    .map(({ name }) => String(name));
  const created = `CAST(${
    nowMs - DAYS * DAY_MS
  } + (copy.value * ${from} + seq) * ${step} AS INTEGER)`;
  const own: Readonly<Record<string, string>> = {
    seq: `copy.value * ${from} + seq`,
    id: `printf('019b76da-a800-7000-9000-%012x', copy.value * ${from} + seq)`,
    created_at: created,
    scheduled_at: created,
    processed_at: `iif(processed_at IS NULL, NULL, ${created} + 500)`,
    settled_at: `iif(settled_at IS NULL, NULL, ${created} + 1500)`,
  };
  const values = columns.map((name) => `${own[name] ?? name} AS ${name}`).join(", ");
  db.exec("BEGIN");
  db.exec(`CREATE TEMP TABLE copies AS
    WITH RECURSIVE copy(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM copy LIMIT ${times})
    SELECT ${values} FROM copy, instance`);
  db.exec("DELETE FROM instance");
  const names = columns.join(", ");
  db.exec(`INSERT INTO instance (${names}) SELECT ${names} FROM copies ORDER BY seq`);
  for (const column of ["scheduled", "completed", "terminated", "later"]) {
    db.exec(`UPDATE kind SET ${column} = ${column} * ${times}`);
  }
  db.exec(`UPDATE meta SET seq = ${times * from}`);
  db.exec("COMMIT");
  db.close();
}

/** Fill an open store with past runs, waiting instances, schedules, and ticks without a run. */
export async function fill(store: Store, content: Content, isByTime: boolean): Promise<void> {
  let pending: Promise<unknown>[] = [];
  let records: StoreRecord[] = [];
  const write = async () => {
    const at = { wallMs: content.nowMs, monotonicMs: performance.now() };
    pending.push(store.records.writeRecords({ at, records }));
    records = [];
    if (pending.length < BATCHES) return;
    await Promise.all(pending);
    pending = [];
  };
  for (const record of recordsOf(content, isByTime)) {
    records.push(record);
    if (records.length === BATCH) await write();
  }
  if (records.length > 0) await write();
  await Promise.all(pending);
}

function* recordsOf(content: Content, isByTime: boolean): Generator<StoreRecord> {
  const { instances, schedules, nowMs } = content;
  yield { type: "head", at: nowMs, epoch: 1 };
  for (let index = 0; index < schedules; index++) {
    yield { type: "schedule", schedule: scheduleOf(index, nowMs) };
  }
  for (let index = 0; index < instances; index++) {
    const instance = instanceOf(index, content);
    // Valkey numbers instances by their time, other stores one by one.
    const order = isByTime ? instance.createdAt * 1_024 + index % 1_024 : index + 1;
    yield { type: "instance", order, instance, isHeld: false, departures: [] };
  }
  for (let index = 0; index < 20 * schedules; index++) {
    const at = nowMs - DAYS * DAY_MS + Math.floor(index * DAYS * DAY_MS / (20 * schedules));
    const scheduleId = `config:k${index % schedules}:0`;
    const fate = { scheduleId, from: at, to: at, count: 1, instanceId: null, at } as const;
    yield { type: "tick", fate: { ...fate, fate: "skipped", reason: "overlap" } };
  }
}

const SPECS: readonly (readonly [share: number, spec: Partial<ScheduleSpec>])[] = [
  [0.005, { cron: "* * * * * *" }],
  [0.05, { cron: "* * * * *", overlap: "skip" }],
  [0.3, { cron: "*/15 * * * *", blackout: ["22:00-06:00"] }],
  [0.6, { cron: "7 * * * *", timezone: "Europe/Berlin" }],
  [1, { cron: "30 2 * * *", timezone: "Asia/Kolkata" }],
];

function scheduleOf(index: number, nowMs: number): ScheduleRecord {
  const place = (index * 7_919) % 1_000 / 1_000;
  const [, given] = SPECS.find(([share]) => place < share)!;
  const spec: ScheduleSpec = {
    cron: null,
    everyMs: null,
    timezone: "UTC",
    overlap: "allow",
    misfire: "latest",
    misfireWithinMs: DAY_MS,
    jitterMs: 0,
    ...given,
  };
  const startAt = nowMs - DAYS * DAY_MS;
  return {
    id: `config:k${index}:0`,
    kind: `k${index % KINDS}`,
    origin: "config",
    spec,
    specHash: "",
    generation: 1,
    cursor: nowMs,
    startAt,
    nextAt: nextTickOf(spec, startAt, nowMs),
    argumentsJson: "[]",
    priority: null,
    timeoutMs: null,
    retryMax: null,
    createdAt: startAt,
    updatedAt: startAt,
  };
}

function instanceOf(index: number, { instances, nowMs }: Content): Instance {
  const createdAt = nowMs - DAYS * DAY_MS + Math.floor(index * DAYS * DAY_MS / instances);
  // Half of them are of one kind; three in a hundred failed; two in a hundred wait.
  const kind = `k${index % 2 === 0 ? 0 : (index * 31) % KINDS}`;
  const part = (index * 37) % 100;
  const isLater = part < 2;
  const state = isLater ? "scheduled" : part < 5 ? "terminated" : "completed";
  const ended = isLater ? null : createdAt + 1_500;
  const text = index.toString(16).padStart(12, "0");
  return {
    ...USUAL_FIELDS,
    id: `019b76da-a800-7000-8000-${text}`,
    kind,
    state,
    reason: isLater ? null : "ok",
    queueKey: kind,
    argumentsJson: "[1]",
    dueAt: isLater ? nowMs + 1 + (index * 7_919) % (5 * DAY_MS) : createdAt,
    createdAt,
    scheduledAt: createdAt,
    processedAt: isLater ? null : createdAt + 500,
    settledAt: ended,
    attempt: isLater ? 0 : 1,
    fence: isLater ? 0 : 1,
    node: isLater ? null : "n1",
    keepSuccessMs: 90 * DAY_MS,
    keepFailureMs: 90 * DAY_MS,
  };
}
