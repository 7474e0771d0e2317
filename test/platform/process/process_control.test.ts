import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../../src/platform/process/process.ts";

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
