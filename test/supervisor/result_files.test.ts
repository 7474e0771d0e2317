import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import test from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { type ResultFile, ResultFiles } from "../../src/supervisor/inside/result_file.ts";

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
