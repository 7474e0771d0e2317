import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { fileErrorCode, writeHint } from "../../src/core/file_errors.ts";

function errorOf(path: string): unknown {
  try {
    writeFileSync(path, "x");
  } catch (error) {
    return error;
  }
  assert.fail(`${path} was written`);
}

test("writeHint() asks for space on a full disk, and for what the caller says otherwise", {
  skip: process.platform !== "linux" && "/dev/full is Linux's",
}, () => {
  const full = errorOf("/dev/full");
  assert.equal(fileErrorCode(full), "resource_exhausted");
  assert.match(writeHint(full, "another mode"), /^Free space/);
  assert.equal(writeHint(errorOf("/"), "another mode"), "another mode");
});

test("writeHint() names the unit's setting for a file system that is read-only", () => {
  const readOnly = Object.assign(new Error("EROFS"), { code: "EROFS" });
  assert.match(writeHint(readOnly, "another mode"), /ReadWritePaths=/);
});
