import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { BatchFile, LINE_BYTES_MAX } from "../../../src/cli/batch/batch_file.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const NO_INPUT: AsyncIterable<string> = (async function* () {})();

async function linesOf(file: BatchFile) {
  const lines: [number, string | null][] = [];
  for await (const { number, bytes } of file.lines()) {
    lines.push([number, bytes === null ? null : new TextDecoder().decode(bytes)]);
  }
  return lines;
}

test("BatchFile reads the same lines each time, with their numbers", () =>
  withTempDir({ "a.jsonl": "\ufeffone\n\ntwo\nthree" }, async ({ path }) => {
    const file = await BatchFile.open("a.jsonl", { cwd: path, stdin: NO_INPUT });
    const wanted = [[1, "one"], [2, ""], [3, "two"], [4, "three"]];
    assert.deepEqual(await linesOf(file), wanted);
    assert.deepEqual(await linesOf(file), wanted);
    await file.close();
  }));

test("BatchFile copies stdin, to read it again", async () => {
  const stdin = (async function* () {
    yield "on";
    yield "e\ntwo\n";
  })();
  const file = await BatchFile.open("-", { cwd: "/", stdin });
  const wanted = [[1, "one"], [2, "two"]];
  assert.deepEqual(await linesOf(file), wanted);
  assert.deepEqual(await linesOf(file), wanted);
  await file.close();
});

test("BatchFile.open() copies no more than its limit, to a file without a name", async () => {
  const named = () => readdirSync(tmpdir()).filter((name) => /^jobctl-\w{6}$/.test(name));
  const before = named();
  let during: string[] = [];
  const stdin = (async function* () {
    for (;;) {
      yield new Uint8Array(65_536);
      during = named().filter((name) => !before.includes(name));
    }
  })();
  await assert.rejects(
    BatchFile.open("-", { cwd: "/", stdin }, 1_048_576),
    (error) =>
      isJobError(error, "invalid_argument") &&
      /"stdin": it has more than 1MiB$/.test(error.message),
  );
  if (process.platform !== "win32") assert.deepEqual(during, []);
});

test("BatchFile has no bytes of a line that is too long, and goes on after it", () => {
  const long = "x".repeat(LINE_BYTES_MAX + 1);
  return withTempDir({ "a.jsonl": `one\n${long}\ntwo\n${long}` }, async ({ path }) => {
    const file = await BatchFile.open("a.jsonl", { cwd: path, stdin: NO_INPUT });
    assert.deepEqual(await linesOf(file), [[1, "one"], [2, null], [3, "two"], [4, null]]);
    await file.close();
  });
});

test("BatchFile hashes all bytes, and notices a file that grows meanwhile", () =>
  withTempDir({ "a.jsonl": "one\n" }, async ({ path }) => {
    const file = await BatchFile.open("a.jsonl", { cwd: path, stdin: NO_INPUT });
    const hash = createHash("sha256");
    for await (const _ of file.lines(hash));
    assert.equal(hash.digest("hex"), createHash("sha256").update("one\n").digest("hex"));
    appendFileSync(`${path}/a.jsonl`, "two\n");
    await assert.rejects(linesOf(file), (error) => isJobError(error, "conflict"));
    await file.close();
  }));

test("BatchFile.open() says how to name a file that does not exist", async () => {
  await assert.rejects(
    BatchFile.open("none.jsonl", { cwd: "/", stdin: NO_INPUT }),
    (error) => isJobError(error, "not_found") && /--arg from=VALUE/.test(error.hint ?? ""),
  );
});
