import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tables } from "../../../src/store/ledger/tables/tables.ts";
import { MemoryTables } from "../../../src/store/memory/tables.ts";
import { ReplicaTables } from "../../../src/store/replica/tables.ts";

/**
 * What each method of the tables is to a replica. Without a line here a new one does not compile:
 * - "reads": changes nothing
 * - "told": changes rows, and tells the other replicas: of {@link ReplicaTables} itself
 * - "through": changes rows by calling those that tell
 * - "own": changes what each replica has for itself, and the transaction around it
 */
const METHODS: Readonly<Record<keyof Tables, "reads" | "told" | "through" | "own">> = {
  ...{ isDurable: "reads", type: "reads", location: "reads", readHead: "reads" },
  ...{ open: "own", close: "own", begin: "own", commit: "told", rollback: "told" },
  ...{ saveLease: "told", saveNode: "told" },
  ...{ insert: "told", put: "through", update: "told", remove: "told" },
  ...{ get: "reads", openByKey: "reads", hasOpen: "reads", scan: "reads", createdFrom: "reads" },
  ...{ ready: "reads", firstReady: "reads", promote: "told", firstOfQueue: "reads" },
  ...{ firstLater: "reads", hold: "reads", saveHold: "told", removeHold: "told" },
  ...{ endedHolds: "reads", firstHold: "reads", endHolds: "through" },
  ...{ starts: "reads", saveStarts: "told", rates: "reads", removeRate: "through" },
  ...{ removeStarts: "through", addDeparture: "told", departures: "reads", departureOf: "reads" },
  ...{ addLogs: "told", writeLog: "told", lastLogSeq: "reads", logs: "reads" },
  ...{ removeLogsOf: "told", removeLogs: "told", expired: "reads", pastDeadline: "reads" },
  ...{ getSchedule: "reads", saveSchedule: "told", removeSchedule: "told" },
  ...{ countSchedules: "reads", schedules: "reads", dueSchedules: "reads" },
  ...{ firstSchedule: "reads", readHeld: "reads", allTicks: "reads", removeTick: "told" },
  ...{ addTick: "told", ticks: "reads", removeTicks: "through" },
  // Counts follow from the rows, and the epoch is told with the head.
  ...{ readCounts: "reads", saveCounts: "told", raiseEpoch: "own" },
  ...{ readMark: "reads", saveMark: "told", removeOrphans: "through", findProblems: "reads" },
  ...{ size: "reads", compact: "own", rest: "own", readPauses: "reads", savePause: "told" },
  ...{ removePause: "told" },
};

test("every method that changes rows tells the other replicas", () => {
  for (const [name, role] of Object.entries(METHODS)) {
    if (role === "told") assert.ok(Object.hasOwn(ReplicaTables.prototype, name), name);
    if (role !== "through") continue;
    assert.ok(!Object.hasOwn(ReplicaTables.prototype, name), name);
    const source = String(Reflect.get(MemoryTables.prototype, name));
    const called = [...source.matchAll(/this\.(\w+)\(/g)].map(([, method]) => method!);
    const isTold = called.some((method) => Object.hasOwn(ReplicaTables.prototype, method));
    assert.ok(isTold, `${name} calls ${called.join(", ")}`);
  }
});

test("what only passes on writes nothing of its own", () => {
  // A private field that a method of the memory's tables writes is one that no replica tells of.
  for (const [name, role] of Object.entries(METHODS)) {
    if (role !== "through") continue;
    const source = String(Reflect.get(MemoryTables.prototype, name));
    assert.doesNotMatch(source, /this\.#?\w+\.(add|save|remove|put|delete|set|replace)\(/, name);
  }
});
