import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { LogEntry } from "../../../src/core/instance.ts";
import { EndedFile } from "../../../src/supervisor/inside/ended_file.ts";
import type { EndedRun } from "../../../src/supervisor/inside/kept_runs.ts";
import { endedOf } from "../../../src/supervisor/supervisor_folder.ts";

const root = mkdtempSync(join(tmpdir(), "ended-file-"));
after(() => rmSync(root, { recursive: true, force: true }));

function ended(run: number, text: string): EndedRun {
  const entry: LogEntry = { at: 1, level: "info", source: "stdout", message: text };
  const claim = { id: "01a23663-2a3f-7000-8c40-7787e63e1fdc", fence: 1, seal: "" };
  return {
    facts: { run, claim, pid: null, ageMs: 1, endedAgoMs: 0, leftMs: 0 },
    messages: [
      { type: "log", run, first: 0, entries: Array<LogEntry>(20).fill(entry) },
      { type: "ended", run, result: null, stderrTail: "", usage: null },
    ],
  };
}

test("EndedFile has how a command ended, also if its output has no room", () => {
  const place = join(root, "0123456789abcdef");
  const file = EndedFile.open(place, "t");
  file.write([ended(1, "small"), ended(2, "\x01".repeat(1_000_000)), ended(3, "small, too")]);
  const text = readFileSync(endedOf(place), "utf8");
  const types = text.trim().split("\n").map((line) => JSON.parse(line).type);
  assert.deepEqual(types.slice(1), Array(3).fill(["runs", "log", "ended"]).flat());
  assert.match(text, /small.*\n.*\n.*\n.*too large to be kept.*\n.*\n.*\n.*small, too/);
  assert.ok(text.length < 10_000);
  assert.equal(file.isEmpty, false);
});
