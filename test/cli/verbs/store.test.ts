import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withTempDir } from "../../support/temp_dir.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const CHUNK = { step: { case: "chunk", value: new TextEncoder().encode('{"type":"backup"}\n') } };
const REPORT = {
  step: { case: "reportJson", value: '{"taken_at":"2026-11-24T12:00:00Z","counts":{}}' },
};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  test(`store backup keeps the file that is there when ${signal} interrupts it`, () =>
    withTempDir({ "jobs.jsonl": "the last one" }, async ({ path }) => {
      const file = join(path, "jobs.jsonl");
      let interrupt = () => {};
      const run = await cli(["store", "backup", file, "--force"], {
        interruptible(listener, signals) {
          assert.ok(signals.includes(signal));
          interrupt = listener;
        },
        answers: {
          *workOnStore() {
            yield CHUNK;
            interrupt();
            yield CHUNK;
          },
        },
      });
      assert.equal(run.code, 130);
      assert.match(
        run.stderr,
        /^jobctl: Stopped the work on the store: it was interrupted\nhint: /,
      );
      assert.equal(run.stdout, "");
      assert.equal(readFileSync(file, "utf8"), "the last one");
      assert.equal(existsSync(`${file}.part`), false);
    }));
}

test("store backup writes no file when the daemon's response is incomplete", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.jsonl");
    const run = await cli(["store", "backup", file], { answers: { workOnStore: () => [CHUNK] } });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /the daemon's response is incomplete/);
    assert.equal(existsSync(file), false);
  }));

test("store backup writes what the daemon sends", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.jsonl");
    const answers = { workOnStore: () => [CHUNK, CHUNK, REPORT] };
    const run = await cli(["store", "backup", file], { answers });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(readFileSync(file, "utf8"), '{"type":"backup"}\n'.repeat(2));
  }));
