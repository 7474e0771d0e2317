import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import test from "node:test";
import { processorSeconds } from "../../scripts/test/processor_time.mjs";
import { processorMs } from "../support/processes/processor_time.ts";

const COUNT_UP = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
const skip = process.platform !== "linux";

test("processorSeconds() has what a process and its ended children used", { skip }, () => {
  const before = processorSeconds(process.pid)!;
  const own = processorMs();
  spawnSync("/bin/sh", ["-c", COUNT_UP]);
  const used = processorSeconds(process.pid)! - before;
  const ownUsed = (processorMs() - own) / 1_000;
  // It is counted in hundredths.
  assert.ok(used - ownUsed > 0.02, `${used} s, ${ownUsed} s of them in this process`);
});

test("processorSeconds() has what a running child has used so far", { skip }, async () => {
  const child = spawn("/bin/sh", ["-c", `${COUNT_UP}; echo done; read line`]);
  const before = processorSeconds(child.pid!)!;
  await once(child.stdout, "data");
  assert.ok(processorSeconds(child.pid!)! > before);
  assert.ok(processorSeconds(process.pid)! >= processorSeconds(child.pid!)!);
  child.stdin.end();
  await once(child, "exit");
});

test("processorSeconds() is null for a process that is not there", () => {
  assert.equal(processorSeconds(2 ** 30), null);
});
