import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../../src/platform/system/runtime.ts";

// The C library is called under Bun only.
const skip = runtimeName() !== "bun" || process.platform !== "linux";

test(
  "OrphanReaper clears away adopted children that have ended, and no exit code of ours is lost",
  {
    skip,
  },
  () => {
    const program = fileURLToPath(
      new URL("../../support/processes/orphan_parent.ts", import.meta.url),
    );
    const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), { before: 2, after: 0, code: 5 });
  },
);

function replaced(...args: readonly string[]) {
  const program = fileURLToPath(
    new URL("../../support/processes/replaced_program.ts", import.meta.url),
  );
  const env = { PATH: process.env.PATH, MARK: "a value" };
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env });
}

test("replaceProgram() runs a program with our arguments and environment", { skip }, () => {
  // Prints the variables that its arguments name, and fails for the others.
  const { stdout, status } = replaced("/usr/bin/printenv", "MARK");
  assert.equal(stdout, "a value\n");
  assert.equal(status, 1);
});

test("replaceProgram() throws if the system refuses, and this program continues", { skip }, () => {
  const { stdout, status } = replaced("/nowhere/program");
  assert.match(stdout, /^still here: the system refused to run "\/nowhere\/program"/);
  assert.equal(status, 0);
});
