import assert from "node:assert/strict";
import { fstatSync, ftruncateSync } from "node:fs";
import test from "node:test";
import { PAYLOAD_BYTES_MAX } from "../../src/core/payload_chars.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { type ResultFile, ResultFiles } from "../../src/supervisor/inside/result_file.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

function inodesOf(files: readonly ResultFile[]): readonly number[] {
  return files.map(({ descriptor }) => fstatSync(descriptor).ino).sort((a, b) => a - b);
}

test(
  "ResultFiles.take() gives the files of a hundred commands to the next hundred",
  { skip: process.platform !== "linux" && "files are kept on Linux only" },
  () => {
    const files = new ResultFiles(systemClock);
    const takeAll = () => Array.from({ length: 100 }, () => files.take()!);
    const first = takeAll();
    const inodes = inodesOf(first);
    for (const file of first) files.release(file, true);
    const second = takeAll();
    assert.deepEqual(inodesOf(second), inodes);
    for (const file of second) file.close();
  },
);

test("ResultFiles.watch() reports a large result within 0.1 s at first, and later within 1 s", async () => {
  const clock = new SimClock();
  const files = new ResultFiles(clock);
  const reported: string[] = [];
  const [young, old] = [files.take()!, files.take()!];
  files.watch(old, () => reported.push("old"));
  await clock.advance(6_000);
  files.watch(young, () => reported.push("young"));
  await clock.advance(50);
  for (const { descriptor } of [young, old]) ftruncateSync(descriptor, PAYLOAD_BYTES_MAX + 1);
  await clock.advance(100);
  assert.ok(reported.includes("young"));
  await clock.advance(1_000);
  assert.deepEqual(reported.sort(), ["old", "young"]);
  for (const file of [young, old]) files.release(file, false);
});
