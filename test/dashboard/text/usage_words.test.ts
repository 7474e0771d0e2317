import assert from "node:assert/strict";
import test from "node:test";
import type { JobInstance } from "../../../src/dashboard/gen/api_types.ts";
import { memoryWords, placeWords, processWords } from "../../../src/dashboard/text/usage_words.ts";

const MIB = 2 ** 20;
const RUNNING = {
  state: "processing",
  max_rss_bytes: 3 * MIB,
  process: { rss_bytes: 2 * MIB, open_files: 1, processes: 4 },
} as JobInstance;

test("memoryWords() has what a running instance takes now, and the most of any", () => {
  assert.equal(memoryWords(RUNNING), "2.0 MiB, 3.0 MiB at most");
  assert.equal(memoryWords({ ...RUNNING, state: "completed" }), "3.0 MiB at most");
  assert.equal(memoryWords({ ...RUNNING, max_rss_bytes: undefined }), "2.0 MiB");
  assert.equal(memoryWords({ state: "completed" } as JobInstance), undefined);
});

test("placeWords() names the first process and its supervisor while it runs", () => {
  const process = { pid: 4711, supervisor_pid: 4700 };
  assert.equal(placeWords({ ...RUNNING, process }), "4711, supervisor 4700");
  assert.equal(placeWords({ ...RUNNING, process: { pid: 4711 } }), "4711");
  assert.equal(placeWords(RUNNING), undefined);
  assert.equal(placeWords({ ...RUNNING, state: "completed", process }), undefined);
});

test("processWords() counts processes and open files while it runs", () => {
  assert.equal(processWords(RUNNING), "4, with 1 open file");
  const process = { rss_bytes: MIB, processes: 1 };
  assert.equal(processWords({ ...RUNNING, process }), "1");
  assert.equal(processWords({ ...RUNNING, state: "terminated" }), undefined);
});
