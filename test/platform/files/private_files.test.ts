import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { openToOthers } from "../../../src/platform/files/private_files.ts";
import { readRegularFile } from "../../../src/platform/files/read_file.ts";
import { asWindows } from "../../support/as_windows.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("openToOthers() lists what others may read, and nothing on Windows", async () => {
  await withTempDir({ open: "x", closed: "x" }, async ({ path }) => {
    const [open, closed] = [`${path}/open`, `${path}/closed`];
    chmodSync(open, 0o644);
    chmodSync(closed, 0o600);
    assert.deepEqual(openToOthers([open, closed]), [{ path: open, mode: 0o644 }]);
    assert.equal(readRegularFile(open, 10)!.mode, 0o644);
    await asWindows(() => {
      assert.deepEqual(openToOthers([open, closed]), []);
      assert.equal(readRegularFile(open, 10)!.mode, 0o600);
    });
  });
});
