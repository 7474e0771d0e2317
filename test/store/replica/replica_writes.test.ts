import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../../src/core/time/schedule.ts";
import type { Row } from "../../../src/store/ledger/tables/row.ts";
import type { Tables } from "../../../src/store/ledger/tables/tables.ts";
import type { Memo } from "../../../src/store/store.ts";
import { ReplicaTables } from "../../../src/store/replica/tables.ts";
import { contentOf } from "../../model/check_replicas.ts";

type Subjects = Omit<
  { [Name in keyof Tables as Tables[Name] extends object ? Name : never]: Tables[Name] },
  "open" | "close" | "begin" | "commit" | "rollback" | "readHead" | "raiseEpoch" | "rest" | "shared"
>;
type Call = (tables: ReplicaTables) => unknown;

/**
 * What each method of the tables is to a replica. Without a line here a new one does not compile:
 * - "reads": changes nothing
 * - "counts": changes counts, which follow from the rows
 * - `own`: a call that changes what each replica has for itself
 * - `rows`: a call that changes rows of the medium
 */
type Role = "reads" | "counts" | { readonly own: Call } | { readonly rows: Call };

const QUEUE = { kind: "mail", queueKey: "eu" };
const DELAY = { ...QUEUE, until: 1_000, stamp: "1/1000" };
const WINDOW = { ...QUEUE, perMs: 1_000 };
const PAUSE = { kind: "mail", until: null, reason: "maintenance", at: 0 };
const MEMO: Memo = {
  ...{ key: "job:mail", version: 1, watch: "failures", data: "{}", news: [], droppedNews: 0 },
};
const LINE = { at: 1, level: "info", message: "hello", source: "job", seq: 1 } as const;
const MARK = { type: "receiving", from: "elsewhere" } as const;

const METHODS: {
  readonly [Name in keyof Subjects]: Readonly<Record<keyof Subjects[Name], Role>>;
} = {
  instances: {
    insert: { rows: ({ instances }) => instances.insert(rowOf(3, {})) },
    update: {
      rows: ({ instances }) => instances.update(rowOf(1, {}), rowOf(1, { state: "processing" })),
    },
    remove: { rows: ({ instances }) => instances.remove(rowOf(2, { retryOf: "x" })) },
    ...{ get: "reads", openByKey: "reads", hasOpen: "reads", scan: "reads", createdFrom: "reads" },
    ...{ expired: "reads", pastDeadline: "reads", countHeld: "reads", idsWith: "reads" },
    ...{ tally: "reads", keptSlots: "reads" },
  },
  waiting: {
    promote: { own: ({ waiting }) => waiting.promote(1, 10) },
    ...{ ready: "reads", firstReady: "reads", firstOfQueue: "reads", firstLater: "reads" },
    later: "reads",
    soonest: "reads",
  },
  kinds: { read: "reads", save: "counts" },
  limits: {
    saveDelay: { own: ({ limits }) => limits.saveDelay({ ...DELAY, until: 9_000 }) },
    removeDelay: { own: ({ limits }) => limits.removeDelay(QUEUE) },
    endDelays: { own: ({ limits }) => limits.endDelays(null, null) },
    saveStarts: { rows: ({ limits }) => limits.saveStarts(WINDOW, [[1, 2]], 9_000) },
    removeWindow: { rows: ({ limits }) => limits.removeWindow(WINDOW) },
    removeExpired: { rows: ({ limits }) => limits.removeExpired(1e9, 10) },
    ...{ delayOf: "reads", endedDelays: "reads", firstDelay: "reads", starts: "reads" },
    windows: "reads",
  },
  memos: {
    save: { rows: ({ memos }) => memos.save(MEMO) },
    remove: { rows: ({ memos }) => memos.remove("job:other") },
    ...{ get: "reads", list: "reads", watches: "reads" },
  },
  endedAttempts: {
    add: { rows: ({ endedAttempts }) => endedAttempts.add(rowOf(2, {}), endedOf(2)) },
    ...{ list: "reads", byFence: "reads" },
  },
  logs: {
    add: { rows: ({ logs }) => logs.add(rowOf(1, {}), [{ ...LINE, attempt: 1, fence: 1 }]) },
    write: { rows: ({ logs }) => logs.write(rowOf(1, {}), 7, { ...LINE, attempt: 1, fence: 1 }) },
    removeOf: { rows: ({ logs }) => logs.removeOf(2, 10) },
    remove: { rows: ({ logs }) => logs.remove([1]) },
    ...{ lastSeq: "reads", read: "reads" },
  },
  schedules: {
    save: { rows: ({ schedules }) => schedules.save({ ...scheduleOf("a"), cursor: 9 }) },
    remove: { rows: ({ schedules }) => schedules.remove("a") },
    ...{ get: "reads", count: "reads", list: "reads", due: "reads", firstAt: "reads" },
  },
  ticks: {
    add: { rows: ({ ticks }) => ticks.add(fateOf(2)) },
    remove: { rows: ({ ticks }) => ticks.remove("a", 1) },
    removeRecorded: { rows: ({ ticks }) => ticks.removeRecorded(1e9, 10) },
    ...{ list: "reads", all: "reads", gaps: "reads" },
  },
  pauses: {
    save: { rows: ({ pauses }) => pauses.save({ ...PAUSE, reason: "repair" }) },
    remove: { rows: ({ pauses }) => pauses.remove("mail") },
    all: "reads",
  },
  maintenance: {
    saveMark: { rows: ({ maintenance }) => maintenance.saveMark(null) },
    // The instance is deleted without its lines.
    removeOrphans: {
      rows: ({ instances, maintenance }) => {
        instances.remove(rowOf(2, { retryOf: "x" }));
        assert.equal(maintenance.removeOrphans(10), 1);
      },
    },
    ...{ readMark: "reads", findProblems: "reads", size: "reads", compact: "reads" },
  },
};

for (const [subject, methods] of Object.entries(METHODS)) {
  for (const [name, role] of Object.entries<Role>(methods)) {
    if (typeof role === "string") continue;
    test(`a replica records ${subject}.${name}() and takes it back`, () => {
      const tables = filled();
      const before = stateOf(tables);
      const call = "own" in role ? role.own : role.rows;
      call(tables);
      assert.notDeepEqual(stateOf(tables), before, "it changes something");
      assert.equal(tables.journal.changeCount > 0, "rows" in role, "the medium gets it");
      tables.rollback();
      assert.deepEqual(stateOf(tables), before, "it is taken back");
    });
  }
}

test("a replica takes back changes of one group that build on each other", () => {
  const tables = filled();
  const before = stateOf(tables);
  for (const methods of Object.values(METHODS)) {
    for (const role of Object.values<Role>(methods)) {
      if (typeof role === "object" && "own" in role) role.own(tables);
    }
  }
  const waiting = rowOf(1, {});
  const claimed = rowOf(1, { state: "processing", fence: 2, attempt: 1 });
  tables.instances.update(tables.instances.get(waiting.instance.id)!, claimed);
  tables.shared.saveLease(claimed, 5_000);
  tables.shared.saveLease(claimed, 6_000);
  tables.endedAttempts.add(claimed, endedOf(1));
  tables.instances.update(claimed, waiting);
  tables.instances.remove(waiting);
  tables.rollback();
  assert.deepEqual(stateOf(tables), before);
});

/** Tables with something of everything, as committed. */
function filled(): ReplicaTables {
  const tables = new ReplicaTables();
  const [waiting, retried] = [rowOf(1, {}), rowOf(2, { retryOf: "x" })];
  for (const row of [waiting, retried]) tables.instances.insert(row);
  tables.endedAttempts.add(retried, endedOf(1));
  tables.logs.add(retried, [{ ...LINE, attempt: 1, fence: 1 }]);
  tables.limits.saveDelay(DELAY);
  tables.limits.saveStarts(WINDOW, [[1, 1]], 2_000);
  tables.schedules.save(scheduleOf("a"));
  tables.ticks.add(fateOf(1));
  tables.pauses.save(PAUSE);
  tables.memos.save({ ...MEMO, key: "job:other" });
  tables.maintenance.saveMark(MARK);
  tables.commit({ rev: 1, at: 1, seq: 2 });
  return tables;
}

/** Everything that a call may change. */
function stateOf(tables: ReplicaTables) {
  const { waiting, limits, leases, logs } = tables;
  return {
    content: Object.fromEntries(contentOf(tables)),
    ready: waiting.firstOfQueue(QUEUE, true),
    laterAt: waiting.firstLater(null),
    delay: limits.delayOf(QUEUE)?.until,
    delayAt: limits.firstDelay("mail"),
    leases: [1, 2].map((seq) => leases.msOf(seq)),
    lastPlace: logs.lastPlace,
  };
}

function rowOf(seq: number, given: Partial<Instance>): Row {
  const instance = {
    ...{ id: `instance ${seq}`, ...QUEUE, state: "scheduled", reason: null, priority: 5 },
    ...{ uniqueKey: null, uniqueUntil: null, argumentsJson: "[]", resultsJson: null, error: null },
    ...{ scheduleId: null, scheduledFor: null, dueAt: seq, createdAt: 1, scheduledAt: 1 },
    ...{ processedAt: null, settledAt: null, cancelRequestedAt: null, attempt: 0, failures: 0 },
    ...{ crashes: 0, fence: 0, node: null, retryOf: null, version: null, progress: null },
    ...{
      usage: null,
      deadlineAt: null,
      redrivenAs: null,
      retryMax: 0,
      crashesMax: 3,
      timeoutMs: 0,
    },
    ...{ keepSuccessMs: 1, keepFailureMs: 1 },
    ...given,
  } as Instance;
  return { seq, instance, isReady: instance.state === "scheduled" ? false : null, expireAt: null };
}

function endedOf(attempt: number) {
  return { attempt, fence: attempt, node: "n1", processedAt: 1, scheduledAt: 2, reason: "error" };
}

function scheduleOf(id: string): ScheduleRecord {
  return { id, kind: "mail", cursor: 1, nextAt: 2, generation: 1 } as unknown as ScheduleRecord;
}

function fateOf(from: number): TickFate {
  return {
    ...{ scheduleId: "a", from, to: from, count: 1, fate: "fired", reason: null },
    ...{ instanceId: null, at: from },
  } as TickFate;
}
