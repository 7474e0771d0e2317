import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "../../src/core/instance.ts";
import { KeptRuns } from "../../src/supervisor/inside/kept_runs.ts";

const CLAIM = { id: "00000000-0000-7000-8000-000000000001", fence: 7, seal: "seal" };
const line = (message: string, source: LogEntry["source"] = "stdout") =>
  ({ at: 0, level: "info", source, message }) as const;

function begun(): KeptRuns {
  const runs = new KeptRuns();
  runs.begin(1, { claim: CLAIM, nowMs: 1_000 });
  return runs;
}

function messagesOf(runs: KeptRuns): readonly string[] {
  return [...runs.messages(1_000)].map((message) =>
    message.type === "log" ? message.entries.map((entry) => entry.message).join() : message.type
  );
}

test("KeptRuns keeps lines until they are recorded, and the outcome until it is", () => {
  const runs = begun();
  runs.keep({ type: "log", run: 1, first: 0, entries: [line("a"), line("b")] }, 1_000);
  runs.keep({ type: "log", run: 1, first: 2, entries: [line("c", "stderr")] }, 1_000);
  runs.keep({ type: "ended", run: 1, result: null, stderrTail: "", usage: null }, 1_000);
  assert.ok(runs.bytes > 0);
  runs.recorded(1, 1);
  assert.deepEqual(messagesOf(runs), ["a,b", "c", "ended"]);
  runs.recorded(1, 2);
  assert.deepEqual(messagesOf(runs), ["c", "ended"]);
  runs.recorded(1, 3);
  assert.deepEqual(messagesOf(runs), ["ended"]);
  runs.done(1);
  assert.deepEqual([runs.isEmpty, runs.bytes], [true, 0]);
});

test("KeptRuns keeps why a run was aborted first, unless it had ended by itself", () => {
  const runs = begun();
  runs.begin(2, { claim: CLAIM, nowMs: 1_000 });
  runs.keep({ type: "ended", run: 2, result: null, stderrTail: "", usage: null }, 1_000);
  for (const run of [1, 2, 3]) runs.abort(run, "timeout");
  runs.abort(1, "drain");
  assert.deepEqual(runs.list(1_000).map(({ aborted }) => aborted), ["timeout", null]);
});

test("KeptRuns keeps a line of its own until the outcome is recorded", () => {
  const runs = begun();
  runs.keep({ type: "log", run: 1, first: 0, entries: [line("a"), line("left", "system")] }, 1_000);
  runs.recorded(1, 1);
  assert.deepEqual(messagesOf(runs), ["a,left"]);
  runs.done(1);
  assert.deepEqual([messagesOf(runs), runs.bytes], [[], 0]);
});

test("KeptRuns tells how old a command is and how long it may run", () => {
  const runs = begun();
  runs.extend(1, 3_000);
  runs.started(1, 4711);
  assert.deepEqual(runs.list(1_500), [
    {
      ...{ run: 1, claim: CLAIM, pid: 4711, aborted: null },
      ...{ ageMs: 500, endedAgoMs: null, leftMs: 1_500 },
    },
  ]);
  assert.equal(runs.lastDeadlineMs, 3_000);
  assert.equal(runs.list(9_000)[0]!.leftMs, 0);
});

test("KeptRuns tells how long ago a command ended", () => {
  const runs = begun();
  runs.keep({ type: "ended", run: 1, result: null, stderrTail: "", usage: null }, 2_000.5);
  assert.equal(runs.list(3_000)[0]!.endedAgoMs, 999);
  const [ended] = runs.messages(4_001);
  assert.ok(ended?.type === "ended" && ended.agoMs === 2_000);
});

test("KeptRuns ignores what is said of a command that it does not have", () => {
  const runs = begun();
  runs.keep({ type: "log", run: 2, first: 0, entries: [line("a")] }, 1_000);
  runs.recorded(2, 1);
  runs.done(2);
  assert.deepEqual([messagesOf(runs), runs.bytes], [[], 0]);
});
