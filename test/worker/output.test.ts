import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseParams } from "../../src/jobs/types/read_signature.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { makeJob, makeTask, RecordingSink, workerCommand } from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";

const MODULE = fileURLToPath(new URL("../support/processes/output_jobs.ts", import.meta.url));
const VERSION = createHash("sha256").update(readFileSync(MODULE)).digest("hex");

const executor = createProcessExecutor({
  clock: systemClock,
  logger: silentLogger,
  count: 1,
  idleMs: 60_000,
  command: workerCommand(),
});
after(() => executor.stop());

const PARAMS: Readonly<Record<string, string>> = {
  lastWords: "ctx: Context, how: string, lines: number",
  raw: "ctx: Context, how: string, file: string",
};

function begin(kind: string, args: readonly unknown[] = [], options: Partial<JobOptions> = {}) {
  const params = PARAMS[kind] ?? "ctx: Context";
  const signature = ["lateTimer", "listen"].includes(kind) ? undefined : parseParams(params);
  const source = { type: "module", path: MODULE, entry: kind, version: VERSION } as const;
  const sink = new RecordingSink();
  const attempt = executor.run(makeTask(makeJob(kind, source, options, signature), args), sink);
  return { attempt, sink };
}

async function run(kind: string, args: readonly unknown[] = []) {
  const { attempt, sink } = begin(kind, args);
  return { outcome: await attempt.outcome, sink };
}

test("a module's output keeps levels, sources and order, however it was written", async () => {
  const { outcome, sink } = await run("levels");
  assert.equal(outcome.type, "ok");
  assert.deepEqual(
    sink.entries.map(({ level, source, message }) => `${level} ${source} ${message}`),
    [
      "info stdout a 1 { b: [ 2 ] }",
      "debug job first line\nsecond \\n line",
      "error stderr c",
      "debug stdout d",
      "warn job e",
      "warn stderr f",
      "warn stderr g",
      "info stdout ",
      "info stdout h",
      "info stdout   i",
      "info stdout   j",
      "info stdout k",
    ],
  );
});

test("a module's output is whole when lines are long, open, or written by others", async () => {
  const { sink } = await run("pieces");
  const messages = sink.messages();
  assert.deepEqual(messages.slice(0, 4), ["one line", "open", "own", "foreign"]);
  const long = messages.filter((message) => /^x+$/.test(message));
  assert.equal(long.join("").length, 20_000);
  const own = sink.messages("job")[1]!;
  assert.ok(own.startsWith("€\n€\n") && own.endsWith("…"));
  assert.deepEqual(messages.slice(-2), ["end", "after"]);
  assert.ok(messages.every((message) => !message.includes("\x1e")));
});

test("output after the end of its attempt does not count for the next one", async () => {
  const first = await run("lateTimer");
  const second = await run("listen", [350]);
  const printed = first.sink.entries.filter(({ source }) => source !== "system");
  assert.deepEqual(printed.map(({ message }) => message), ["in time"]);
  assert.deepEqual(second.sink.messages(), ["listened"]);
});

for (const how of ["write", "write to stderr", "copy at once", "copy", "child"]) {
  test(`output by ${how} counts for its attempt, between attempts that print nothing`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "jobctl-output-"));
    const file = join(dir, "file");
    writeFileSync(file, "one\n");
    const printed: string[][] = [];
    try {
      for (const each of ["nothing", "nothing", how, "nothing", how, how, "nothing"]) {
        printed.push([...(await run("raw", [each, file])).sink.messages()]);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
    const one = ["one"];
    assert.deepEqual(printed, [[], [], one, [], one, one, []]);
  });
}

for (
  const [how, type] of [["exit", "error"], ["abort", "lost"], ["kill", "lost"], ["throw", "error"]]
) {
  for (const lines of [0, 20_000]) {
    const testIt = lines === 0 || how === "throw" ? testOnBun : test;
    testIt(
      `what a module printed last is kept when it ends by ${how} after ${lines} lines`,
      async () => {
        const { outcome, sink } = await run("lastWords", [how, lines]);
        assert.equal(outcome.type, type);
        assert.deepEqual(sink.messages().slice(-2), ["last log", "last words"]);
      },
    );
  }
}

test("what a module printed last is kept when it is killed at its timeout", async () => {
  const { attempt, sink } = begin("lastWords", ["hang", 20_000], {
    timeoutMs: 1_500,
    killAfterMs: 100,
  });
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  assert.deepEqual(sink.messages().slice(-2), ["last log", "last words"]);
  assert.ok(sink.messages().some((message) => /^10002 lines .* dropped here/.test(message)));
});
