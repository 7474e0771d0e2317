import assert from "node:assert/strict";
import test from "node:test";
import { backupLines, gcLines } from "../../src/cli/views/store_view.ts";

test("backupLines() counts records with their nouns", () => {
  const counts = { schedule: 1, instance: 27, tick: 0, log: 2 };
  const lines = backupLines({ file: "b.gz", counts, hash: "ff" }, 0);
  assert.ok(lines.includes("Records:  1 schedule, 27 instances, 2 log lines"), lines.join("\n"));
});

test("gcLines() shows sizes in a unit that fits", () => {
  const lines = gcLines({
    instances: 2,
    orphans: 0,
    freed_bytes: 0,
    bytes: 1_777_664,
    free_bytes: 16_384,
  });
  assert.deepEqual(lines.slice(2).map((line) => line.replace(/: +/, ": ")), [
    "Freed: 0 bytes",
    "Size: 1.7 MiB (1777664 bytes)",
    "Free in it: 16.0 KiB (16384 bytes)",
  ]);
});
