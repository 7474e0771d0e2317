import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { createPipes, removeStaleFolders } from "../../../src/platform/process/pipe.ts";
import { withTempDir } from "../../support/temp_dir.ts";

function writeThrough(script: string) {
  const [out, err] = createPipes(2)!;
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", out!.writer, err!.writer] });
  for (const { writer } of [out!, err!]) closeSync(writer);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  return Promise.all([text(out!.reader), text(err!.reader), exited]);
}

test("createPipes() makes pipes that a child can open by name", async () => {
  const [out, err] = await writeThrough("echo a; echo b > /dev/stdout; echo c > /dev/stderr");
  assert.deepEqual([out, err], ["a\nb\n", "c\n"]);
});

test("createPipes() makes pipes that carry megabytes and end with the last writer", async () => {
  const [out] = await writeThrough("head -c 5000000 /dev/zero; (sleep 0.1; echo late) &");
  assert.equal(out.length, 5_000_005);
  assert.ok(out.endsWith("late\n"));
});

test(
  "createPipes() leaves no descriptors behind when its readers have ended or are destroyed",
  { skip: !existsSync("/proc/self/fd") },
  async () => {
    await writeThrough("echo warm");
    const count = () => readdirSync("/proc/self/fd").length;
    const before = count();
    for (let round = 0; round < 10; round++) await writeThrough("echo x");
    for (let round = 0; round < 10; round++) {
      const [pipe] = createPipes(1)!;
      const closed = new Promise((resolve) => pipe!.reader.once("close", resolve));
      pipe!.reader.destroy();
      closeSync(pipe!.writer);
      await closed;
    }
    assert.ok(count() <= before + 2, `${before} before, ${count()} after`);
  },
);

test("removeStaleFolders() removes what is old and ours, and nothing else", async () => {
  await withTempDir({}, async ({ path }) => {
    const old = ["jobctl-pipe-a", "jobctl-file-b", "jobctl-other", "else"];
    for (const name of [...old, "jobctl-pipe-young"]) mkdirSync(join(path, name));
    for (const name of old) utimesSync(join(path, name), 1_000, 1_000);
    utimesSync(join(path, "jobctl-pipe-young"), 1_000, 1_001);
    await removeStaleFolders(1_061_000, path);
    assert.deepEqual(readdirSync(path).sort(), ["else", "jobctl-other", "jobctl-pipe-young"]);
  });
});
