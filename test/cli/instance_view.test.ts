import assert from "node:assert/strict";
import test from "node:test";
import { runText } from "../../src/core/time/duration.ts";
import { errorLine, INSTANCE_VIEW } from "../../src/cli/views/instance_view.ts";
import { commandEnd } from "../../src/core/text/command_end.ts";
import { JobState } from "../../src/rpc/gen/job_pb.ts";
import { cli, NOW } from "../support/worlds/cli_world.ts";
import { historyEntry, ID, instance, logEntry } from "../support/worlds/cli_messages.ts";

const AT = { nowMs: NOW, isWide: false, shortId: (id: string) => id };

function whatOf(changes: object): string {
  const column = INSTANCE_VIEW.columns.find(({ title }) => title === "WHAT")!;
  return String(column.cell(instance(changes), AT));
}

function commandError(end: { exitCode?: number; signal?: string }, tail: string) {
  const error = `Command "/bin/sh" ${commandEnd(end)}${tail}`;
  return { error, errorDetail: { name: "CommandError", message: error, ...end } };
}

test("errorLine() is the first line of an error, or the last words of a command", () => {
  assert.equal(errorLine(instance({ error: "\n cannot divide\nat line 3" })), " cannot divide");
  const exited = commandError({ exitCode: 3 }, ": Traceback: a\n  line 3\nValueError: b: c\n");
  assert.equal(errorLine(instance(exited)), "ValueError: b: c");
  assert.equal(errorLine(instance(commandError({ signal: "SIGKILL" }, ": gone"))), "gone");
});

test("WHAT is the error, what it waits for, the results, or else the arguments", () => {
  assert.equal(whatOf({}), "3");
  assert.equal(whatOf({ results: [] }), "1, 2");
  assert.equal(whatOf({ error: "disk full" }), "disk full");
  const blockedBy = { limit: "concurrency", name: "sum", used: 1n, max: 1n };
  assert.equal(whatOf({ blockedBy }), "concurrency of sum (1 of 1)");
  // The state has the exit code.
  assert.equal(whatOf({ ...commandError({ exitCode: 3 }, ""), state: 64 }), "1, 2");
});

test("runText() has a tenth for a few seconds", () => {
  const texts = [0, 999, 1_000, 1_990, 9_999, 10_000, 61_000].map(runText);
  assert.deepEqual(texts, ["0s", "999ms", "1.0s", "1.9s", "9.9s", "10s", "1m1s"]);
});

test("an instance that runs shows how long it has run", () => {
  const took = INSTANCE_VIEW.columns.find(({ title }) => title === "TOOK")!;
  const running = instance({ state: JobState.PROCESSING, completedAt: undefined });
  assert.equal(took.cell(running, { ...AT, nowMs: NOW + 9_500 }), "1m10s");
  assert.equal(took.cell(instance({ durationMs: 500n }), AT), "500ms");
});

async function attemptsOf(history: readonly object[], changes: object): Promise<string[][]> {
  const run = await cli(["describe", "instance", ID, "--no-color"], {
    answers: {
      getInstance: { instance: instance(changes) },
      lookupInstanceHistory: { entries: history },
      lookupInstanceLogs: {
        entries: [{ ...logEntry(2, "later"), attempt: 2 }, {
          ...logEntry(1, "disk full"),
          level: "error",
        }],
      },
    },
    isTerminal: true,
    columns: 120,
  });
  const lines = run.stdout.split("\n");
  const first = lines.findIndex((line) => line.startsWith("#"));
  return lines.slice(first, lines.indexOf("", first)).map((line) => line.split(/ {2,}/));
}

const FIRST = [
  historyEntry(JobState.SCHEDULED, NOW - 10_000),
  historyEntry(JobState.PROCESSING, NOW - 9_000),
  { ...historyEntry(JobState.SCHEDULED, NOW - 7_000), reason: "timeout" },
];
const START = "2026-11-24 11:59:5";

test("describe instance shows each attempt with its error", async () => {
  const rows = await attemptsOf([
    ...FIRST,
    { ...historyEntry(JobState.PROCESSING, NOW - 5_000), attempt: 2 },
    { ...historyEntry(JobState.TERMINATED, NOW - 4_500), attempt: 2, reason: "error" },
  ], { state: JobState.TERMINATED, reason: "error", error: "no such host" });
  assert.deepEqual(rows, [
    ["#", "STARTED", "TOOK", "STATE", "NODE", "ERROR"],
    ["1", `${START}1Z`, "2.0s", "failed: timeout", "n1", "disk full"],
    ["2", `${START}5Z`, "500ms", "failed", "n1", "no such host"],
  ]);
});

test("describe instance shows the stored error at the attempt that had it", async () => {
  const rows = await attemptsOf([
    ...FIRST,
    { ...historyEntry(JobState.PROCESSING, NOW - 5_000), attempt: 2 },
  ], { state: JobState.PROCESSING, error: "took too long", completedAt: undefined });
  assert.deepEqual(rows.slice(1), [
    ["1", `${START}1Z`, "2.0s", "failed: timeout", "n1", "took too long"],
    ["2", `${START}5Z`, "5.0s", "running", "n1", "-"],
  ]);
});
