import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tables } from "../../../src/store/ledger/tables/tables.ts";
import { MemoryTables } from "../../../src/store/memory/tables.ts";
import { ReplicaTables } from "../../../src/store/replica/tables.ts";

type Role = "reads" | "told" | "through" | "own";

type Subjects = Omit<
  { [Name in keyof Tables as Tables[Name] extends object ? Name : never]: Tables[Name] },
  "open" | "close" | "begin" | "commit" | "rollback" | "readHead" | "raiseEpoch" | "rest" | "shared"
>;

/**
 * What each method of the tables is to a replica. Without a line here a new one does not compile:
 * - "reads": changes nothing
 * - "told": changes rows, and records that in the journal itself
 * - "through": changes rows by calling methods that record it
 * - "own": changes what each replica has for itself
 */
const METHODS: {
  readonly [Name in keyof Subjects]: Readonly<Record<keyof Subjects[Name], Role>>;
} = {
  instances: {
    ...{ insert: "told", put: "through", update: "told", remove: "told" },
    ...{ get: "reads", openByKey: "reads", hasOpen: "reads", scan: "reads", createdFrom: "reads" },
    ...{ expired: "reads", pastDeadline: "reads", countHeld: "reads" },
  },
  waiting: {
    ...{ ready: "reads", firstReady: "reads", promote: "told", firstOfQueue: "reads" },
    firstLater: "reads",
  },
  // Counts follow from the rows.
  kinds: { read: "reads", save: "own" },
  limits: {
    ...{ delayOf: "reads", saveDelay: "told", removeDelay: "told", endedDelays: "reads" },
    ...{ firstDelay: "reads", endDelays: "through", starts: "reads", saveStarts: "told" },
    ...{ windows: "reads", removeWindow: "told", removeExpired: "through" },
  },
  endedAttempts: { add: "told", list: "reads", byFence: "reads" },
  logs: {
    ...{ add: "told", write: "told", lastSeq: "reads", read: "reads" },
    ...{ removeOf: "through", remove: "told" },
  },
  schedules: {
    ...{ get: "reads", save: "told", remove: "told", count: "reads", list: "reads" },
    ...{ due: "reads", firstAt: "reads" },
  },
  ticks: { add: "told", remove: "told", list: "reads", all: "reads", removeRecorded: "through" },
  pauses: { all: "reads", save: "told", remove: "told" },
  maintenance: {
    ...{ readMark: "reads", saveMark: "told", findProblems: "reads", size: "reads" },
    // Recorded by the table of the logs.
    ...{ compact: "own", removeOrphans: "own" },
  },
};

const medium = { type: "test", location: "test:", isDurable: false };
const replica = new ReplicaTables(medium as ConstructorParameters<typeof ReplicaTables>[0]);
const memory = new MemoryTables();

/** Every method with its role, and its table in a replica and in memory. */
const ROWS = (Object.keys(METHODS) as (keyof Subjects)[]).flatMap((subject) =>
  Object.entries<Role>(METHODS[subject]).map(([name, role]) => ({
    ...{ subject, name, role },
    isOfReplica: Object.hasOwn(Object.getPrototypeOf(replica[subject]), name),
    prototype: Object.getPrototypeOf(replica[subject]),
    source: String(Reflect.get(memory[subject], name)),
  }))
);

test("every method that changes rows tells the other replicas", () => {
  for (const { subject, name, role, isOfReplica, prototype, source } of ROWS) {
    if (role === "told") assert.ok(isOfReplica, `${subject}.${name}`);
    if (role !== "through") continue;
    assert.ok(!isOfReplica, `${subject}.${name}`);
    const called = [...source.matchAll(/this\.(\w+)\(/g)].map(([, method]) => method!);
    const isTold = called.some((method) => Object.hasOwn(prototype, method));
    assert.ok(isTold, `${subject}.${name} calls ${called.join(", ")}`);
  }
});

test("a method that only calls others writes nothing itself", () => {
  // No replica records what a method of a memory table writes to a private field.
  for (const { subject, name, role, source } of ROWS) {
    if (role !== "through") continue;
    const writes = /this\.#?\w+\.(add|save|remove|put|delete|set|replace)\(/;
    assert.doesNotMatch(source, writes, `${subject}.${name}`);
  }
});
