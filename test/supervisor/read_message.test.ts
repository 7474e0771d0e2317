import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRIES_MAX, type FromSupervisor, RUNS_MAX } from "../../src/supervisor/protocol.ts";
import { readMessage } from "../../src/supervisor/read_message.ts";

const ENTRY = { at: 1, level: "info", source: "stdout", message: "a line" } as const;
const ENDED = { type: "ended", run: 1, stderrTail: "", usage: null } as const;

const USAGE = { run: 1, rssBytes: 5, maxRssBytes: 9, cpuMs: 7, openFiles: null, processes: 1 };
const RUN = {
  run: 1,
  claim: { id: "00000000-0000-7000-8000-000000000001", fence: 7, seal: "x".repeat(43) },
  pid: null,
  ageMs: 5,
  endedAgoMs: null,
  isFrozen: true,
  frozenMs: 3,
  leftMs: 0,
} as const;

const VALID: readonly FromSupervisor[] = [
  { type: "hello", version: 1, pid: 5, isAdoptable: true, program: "1.0.0", lastRun: 7 },
  { type: "hello", version: 1, pid: 5, isAdoptable: false, program: null, lastRun: 0 },
  { type: "runs", runs: [RUN, { ...RUN, pid: 5, endedAgoMs: 3 }], isLast: false },
  { type: "runs", runs: [{ ...RUN, aborted: "timeout" }], isLast: true },
  { type: "unfit", message: "no" },
  { type: "started", run: 1, pid: 2, isBounded: true },
  { type: "frozen", run: 1, problem: null },
  { type: "frozen", run: 1, problem: { type: "groups", message: "no group" } },
  {
    type: "log",
    run: 1,
    first: 2,
    entries: [ENTRY, { ...ENTRY, level: "warn", source: "stderr" }],
  },
  { ...ENDED, result: { type: "ok", resultsJson: "[1]", exitCode: 3 } },
  { ...ENDED, result: { type: "error", error: { name: "E", message: "m", exitCode: 1 } } },
  { ...ENDED, result: { type: "unstarted", error: { name: "E", message: "m" } } },
  { ...ENDED, result: null },
  { ...ENDED, result: null, agoMs: 0 },
  { type: "usage", runs: [] },
  { type: "usage", runs: [USAGE, { ...USAGE, openFiles: 3 }] },
  { ...ENDED, result: null, usage: { maxRssBytes: 2 ** 40, cpuMs: 0 } },
  { ...ENDED, result: null, usage: { maxRssBytes: null, cpuMs: null } },
];

test("readMessage() keeps the known members of every message", () => {
  for (const message of VALID) assert.deepEqual(readMessage({ ...message, more: 1 }), message);
});

test("readMessage() refuses what is not a message or has a wrong member", () => {
  const wrong: readonly unknown[] = [
    ...[null, 1, "text", [], {}, { type: "toString" }, { type: "run", run: 1 }],
    { type: "hello", version: "1", pid: 5 },
    { type: "runs", runs: {}, isLast: true },
    { type: "runs", runs: [{ ...RUN, pid: 1 }], isLast: true },
    { type: "runs", runs: [{ ...RUN, claim: { ...RUN.claim, seal: undefined } }], isLast: true },
    {
      type: "runs",
      runs: [{ ...RUN, claim: { ...RUN.claim, seal: "x".repeat(100) } }],
      isLast: true,
    },
    { type: "runs", runs: [{ ...RUN, claim: { ...RUN.claim, id: "1" } }], isLast: true },
    { type: "runs", runs: Array.from({ length: RUNS_MAX + 1 }, () => RUN), isLast: true },
    { type: "log", run: 1, entries: [] },
    { type: "started", run: 1, pid: 1 },
    { type: "frozen", run: 1 },
    { type: "frozen", run: 1, problem: { type: "groups" } },
    { type: "started", run: 1, pid: -5 },
    { type: "started", run: 1.5, pid: 5 },
    { type: "log", run: 1, first: 0, entries: {} },
    { type: "log", run: 1, first: 0, entries: [{ ...ENTRY, level: "loud" }] },
    { type: "log", run: 1, first: 0, entries: [{ ...ENTRY, source: "job" }] },
    { type: "log", run: 1, first: 0, entries: [{ ...ENTRY, at: "now" }] },
    { type: "log", run: 1, first: 0, entries: [{ ...ENTRY, message: "x".repeat(20_000) }] },
    {
      type: "log",
      run: 1,
      first: 0,
      entries: Array.from({ length: ENTRIES_MAX + 1 }, () => ENTRY),
    },
    { ...ENDED, result: { type: "ok", resultsJson: "[" } },
    { ...ENDED, result: undefined },
    { ...ENDED, result: null, stderrTail: 5 },
    { type: "usage", runs: USAGE },
    { type: "usage", runs: [null] },
    { type: "usage", runs: [{ ...USAGE, rssBytes: null }] },
    { type: "usage", runs: [{ ...USAGE, openFiles: -1 }] },
    { type: "usage", runs: [{ ...USAGE, processes: "1" }] },
    { type: "usage", runs: Array.from({ length: ENTRIES_MAX + 1 }, () => USAGE) },
    { ...ENDED, result: null, usage: 5 },
    { ...ENDED, result: null, usage: { maxRssBytes: -1, cpuMs: 0 } },
    { ...ENDED, result: null, usage: { maxRssBytes: 1, cpuMs: 0.5 } },
    { ...ENDED, result: null, usage: { maxRssBytes: 1 } },
  ];
  for (const message of wrong) {
    assert.equal(readMessage(message), null, JSON.stringify(message)?.slice(0, 200));
  }
});

test("readMessage() bounds texts that are shown to people", () => {
  const message = readMessage({ type: "unfit", message: "x".repeat(1_000_000) });
  assert.ok(message?.type === "unfit" && message.message.length < 10_000);
  const ended = readMessage({ ...ENDED, result: null, stderrTail: "x".repeat(1_000_000) });
  assert.ok(ended?.type === "ended" && ended.stderrTail.length < 10_000);
});
