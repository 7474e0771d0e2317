import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseParams } from "../../src/jobs/types/read_signature.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { createInlineExecutor } from "../../src/worker/isolation/inline_executor.ts";
import { endAtJob } from "../../src/worker/job_stack.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { makeJob, makeTask, RecordingSink, workerCommand } from "../support/attempts.ts";

const MODULE = fileURLToPath(new URL("../support/processes/stack_jobs.ts", import.meta.url));
const VERSION = createHash("sha256").update(readFileSync(MODULE)).digest("hex");

const processes = createProcessExecutor({
  clock: systemClock,
  logger: silentLogger,
  count: 1,
  idleMs: 60_000,
  command: workerCommand(),
});
const EXECUTORS = {
  inline: createInlineExecutor({ clock: systemClock }),
  process: processes,
};
after(() => processes.stop());

async function run(isolation: keyof typeof EXECUTORS, kind: string) {
  const source = { type: "module", path: MODULE, entry: kind, version: VERSION } as const;
  const signature = kind === "printed" ? parseParams("ctx: Context") : undefined;
  const sink = new RecordingSink();
  const task = makeTask(makeJob(kind, source, {}, signature));
  const outcome = await EXECUTORS[isolation].run(task, sink).outcome;
  const stack = outcome.type === "error" ? outcome.error.stack ?? "" : "";
  return { stack, printed: sink.messages() };
}

/** The frames of each stack in a text. */
function stacksIn(text: string): readonly string[] {
  return text.match(/(?:\n\s+at .*)+/g) ?? [];
}

function assertEndsAtJob(text: string, stacks: number): void {
  const found = stacksIn(text);
  assert.equal(found.length, stacks, text);
  for (const frames of found) {
    assert.match(frames.split("\n").at(-1)!, /stack_jobs\.ts/, text);
    assert.doesNotMatch(frames, /[/\\]src[/\\]/, text);
  }
}

const KINDS: readonly [kind: string, stacks: number, words: RegExp][] = [
  ["sync", 1, /no ledger/],
  ["late", 1, /no ledger/],
  ["caused", 2, /no report[^]*\nCaused by: RangeError: no ledger/],
  ["combined", 2, /(?:^|\n)Error 1 of 2: [^]*no ledger[^]*\nError 2 of 2: [^]*no ledger/],
];

for (const isolation of ["inline", "process"] as const) {
  for (const [kind, stacks, words] of KINDS) {
    test(`the stack of a failed attempt (${isolation}) ends at the job's code: ${kind}`, async () => {
      const { stack } = await run(isolation, kind);
      assert.match(stack, words);
      assertEndsAtJob(stack, stacks);
    });
  }
}

test("stacks that a job prints end at its code", async () => {
  const { printed } = await run("process", "printed");
  // An error with its cause, its own stack, and both again.
  assertEndsAtJob(`\n${printed.join("\n")}`, 5);
});

test("the stack of an error that nothing awaits ends at the job's code", async () => {
  const { stack } = await run("process", "uncaught");
  assertEndsAtJob(stack, 1);
});

test("endAtJob() leaves no frame of ours when no code of the job is in a stack", () => {
  const { stack = "" } = errorOfOurs();
  const [title] = stack.split("\n    at ", 1);
  const own = stack.split("\n").find((line) => line.includes("/src/"))!;
  assert.equal(endAtJob(`${title}\n${own}`), title);
  assert.equal(endAtJob(`${title}\n${own} {\n  code: 1\n}`), `${title} {\n  code: 1\n}`);
  assert.equal(endAtJob(`[\n  ${title}\n  ${own},\n  2\n]`), `[\n  ${title},\n  2\n]`);
});

test("endAtJob() keeps frames of ours between those of a job", () => {
  const own = errorOfOurs().stack!.split("\n").find((line) => line.includes("/src/"))!;
  const [above, below] = ["    at helper (/srv/a.ts:1:2)", "    at async /srv/job.ts:3:4"];
  assert.equal(
    endAtJob(["E", above, own, below, own, "    at native:1:1", own].join("\n")),
    ["E", above, own, below].join("\n"),
  );
});

test("endAtJob() returns text without our frames unchanged", () => {
  for (const text of ["", "plain", "Error: x\n    at /srv/job.ts:1:2\n    at node:internal:1:1"]) {
    assert.equal(endAtJob(text), text);
  }
});

/** An error with a frame of our source. */
function errorOfOurs(): Error {
  try {
    return parseParams("(") as never;
  } catch (error) {
    return error as Error;
  }
}
