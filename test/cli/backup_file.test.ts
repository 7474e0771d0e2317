import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeBackup } from "../../src/cli/verb/backup_file.ts";
import { readBackup } from "../../src/maintenance/backup_file.ts";
import { isJobError } from "../../src/core/errors.ts";
import { withTempDir } from "../support/temp_dir.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function read(path: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of readBackup(path)) lines.push(line);
  return lines;
}

for (const name of ["a.jsonl", "a.jsonl.gz"]) {
  test(`writeBackup() writes ${name}, which only its owner reads, and readBackup() reads it`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, name);
      const writer = await writeBackup(file, { force: false });
      const text = "ü".repeat(100_000);
      for (let index = 0; index < 20; index++) await writer.write(encode(`${index} ${text}\n`));
      assert.equal(existsSync(file), false);
      await writer.end();
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal(existsSync(`${file}.part`), false);
      const lines = await read(file);
      assert.equal(lines.length, 20);
      assert.equal(lines[7], `7 ${text}`);
    }));
}

test("writeBackup() over a folder says so", () =>
  withTempDir({ "folder/a": "" }, async ({ path }) => {
    const writer = await writeBackup(join(path, "folder"), { force: true });
    await writer.write(encode("x\n"));
    await assert.rejects(
      writer.end(),
      (error) => isJobError(error, "invalid_argument") && error.message.startsWith("Cannot write"),
    );
    await writer.discard();
    assert.equal(existsSync(join(path, "folder.part")), false);
  }));

test("writeBackup() overwrites only when told, and leaves what is there when it is discarded", () =>
  withTempDir({ "a.jsonl": "old" }, async ({ path }) => {
    const file = join(path, "a.jsonl");
    await assert.rejects(
      writeBackup(file, { force: false }),
      (error) => isJobError(error, "already_exists"),
    );
    const writer = await writeBackup(file, { force: true });
    await writer.write(encode("new"));
    await writer.discard();
    assert.equal(readFileSync(file, "utf8"), "old");
  }));

test("writeBackup() and readBackup() name a file that they cannot use", () =>
  withTempDir({ "a.jsonl.gz": "no gzip" }, async ({ path }) => {
    const nowhere = join(path, "missing", "a.jsonl");
    await assert.rejects(
      writeBackup(nowhere, { force: false }),
      (error) => isJobError(error, "invalid_argument") && error.message.includes(nowhere),
    );
    assert.throws(
      () => readBackup(nowhere),
      (error) => isJobError(error, "not_found") && error.hint !== undefined,
    );
    await assert.rejects(
      read(path),
      (error) => isJobError(error, "invalid_argument") && error.message.includes(path),
    );
    const packed = join(path, "a.jsonl.gz");
    await assert.rejects(
      read(packed),
      (error) => isJobError(error, "invalid_argument") && error.message.includes(packed),
    );
  }));
