import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { test } from "node:test";
import { BatchFile } from "../../../src/cli/batch/batch_file.ts";
import {
  checkFile,
  type Progress,
  queueFile,
  type Target,
} from "../../../src/cli/batch/queue_file.ts";
import type { BatchRequest } from "../../../src/cli/batch/read_line.ts";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

type Call = readonly BatchRequest[];

/** A daemon that accepts each id once, and refuses the kind "bad". */
class FakeDaemon {
  readonly calls: Call[] = [];
  readonly queued = new Set<string>();
  /** Called before each call; it may throw. */
  before: (call: Call) => void = () => {};

  readonly client = {
    scheduleJobs: async (
      { requests = [] }: { readonly requests?: readonly BatchRequest[] } = {},
    ) => {
      this.calls.push(requests);
      this.before(requests);
      const wrong = requests.findIndex(({ kind }) => kind === "bad");
      if (wrong >= 0) {
        throw new JobError("not_found", `Cannot find job "bad" (requests[${wrong}])`, {
          path: `requests[${wrong}].kind`,
        });
      }
      let existing = 0;
      for (const { uuid, dryRun } of requests) {
        if (this.queued.has(uuid!)) existing += 1;
        if (!dryRun) this.queued.add(uuid!);
      }
      return { instances: [], existing };
    },
  };
}

/** Run `body` with a file of these lines. */
function withFile(
  lines: readonly string[],
  body: (
    file: BatchFile,
    daemon: FakeDaemon,
    target: Target,
    steps: Progress[],
    path: string,
  ) => Promise<void>,
): Promise<void> {
  return withTempDir({ "a.jsonl": lines.join("\n") }, async ({ path }) => {
    const stdin = (async function* () {})();
    const file = await BatchFile.open("a.jsonl", { cwd: path, stdin });
    const daemon = new FakeDaemon();
    const clock = new SimClock(0);
    const steps: Progress[] = [];
    // Pauses between attempts end at once.
    const timer = clock.timer.bind(clock);
    clock.timer = (_delayMs, callback) => {
      queueMicrotask(callback);
      return timer(0, () => {});
    };
    const target = {
      ...{ client: daemon.client as unknown as Target["client"], kind: undefined, clock },
      ...{ signal: new AbortController().signal, progress: (step: Progress) => steps.push(step) },
    };
    try {
      await body(file, daemon, target, steps, `${path}/a.jsonl`);
    } finally {
      await file.close();
    }
  });
}

const line = (x: number, kind = "sum") => JSON.stringify({ kind, arguments: [x] });
const many = (count: number) => Array.from({ length: count }, (_, x) => line(x));

test("checkFile() asks for dry runs of 1,000 lines each, and tells how far it is", () =>
  withFile(many(2_500), async (file, daemon, target, steps) => {
    const checked = await checkFile(file, target);
    assert.deepEqual([checked.lines, checked.problems, checked.isPartial], [2_500, [], false]);
    assert.deepEqual(daemon.calls.map(({ length }) => length), [1_000, 1_000, 500]);
    assert.ok(daemon.calls.flat().every(({ dryRun }) => dryRun === true));
    assert.deepEqual(steps.map(({ lines }) => lines), [1_000, 2_000, 2_500]);
    assert.equal(steps.at(-1)?.share, 1);
  }));

test("checkFile() finds several lines that the daemon refuses, and ends at the twentieth", async () => {
  await withFile([line(1), line(2, "bad"), "{", line(3, "bad")], async (file, _, target) => {
    const { problems, isPartial } = await checkFile(file, target);
    assert.deepEqual(problems.map(({ line, column }) => `${line}:${column}`), [
      "2:9",
      "3:2",
      "4:9",
    ]);
    assert.equal(problems[0]?.message, 'Cannot find job "bad"');
    assert.equal(isPartial, false);
  });
  const wrong = Array.from({ length: 5_000 }, (_, x) => line(x, "bad"));
  await withFile(wrong, async (file, daemon, target) => {
    const { problems, isPartial } = await checkFile(file, target);
    assert.deepEqual([problems.length, isPartial, daemon.calls.length], [20, true, 20]);
  });
});

test("queueFile() gives the lines of a file the same ids each time, and other ids with a salt", () =>
  withFile([...many(1_200), '{"kind": "sum", "id": "given"}'], async (file, daemon, target) => {
    const { digest } = await checkFile(file, target);
    const queue = (salt: string) => queueFile(file, target, { digest, salt });
    assert.deepEqual(await queue(""), { lines: 1_201, existing: 0 });
    assert.ok(daemon.queued.has("given"));
    assert.deepEqual(await queue(""), { lines: 1_201, existing: 1_201 });
    assert.deepEqual(await queue("again"), { lines: 1_201, existing: 1 });
  }));

test("queueFile() says what is queued of a file that changes meanwhile, and not to repeat it", () =>
  withFile(many(2_500), async (file, daemon, target, _steps, path) => {
    const { digest } = await checkFile(file, target);
    daemon.before = () => appendFileSync(path, "\n{}");
    await assert.rejects(
      queueFile(file, target, { digest, salt: "" }),
      (error) =>
        isJobError(error, "conflict") &&
        /2000 instances of its lines are queued/.test(error.message) &&
        /again/.test(error.hint ?? ""),
    );
  }));

test("queueFile() repeats a call without a response, and says where it gave up", () =>
  withFile(many(1_500), async (file, daemon, target) => {
    const { digest } = await checkFile(file, target);
    let lost = 3;
    daemon.before = () => {
      if (lost-- > 0) throw new JobError("unavailable", "no response");
    };
    const all = { digest, salt: "" };
    assert.deepEqual(await queueFile(file, target, all), { lines: 1_500, existing: 0 });
    let calls = 0;
    daemon.before = () => {
      if (++calls > 1) throw new JobError("resource_exhausted", "too many wait", { hint: "Wait" });
    };
    await assert.rejects(queueFile(file, target, all), (error) => {
      assert.ok(isJobError(error, "resource_exhausted"));
      assert.match(error.message, /^a\.jsonl:1001: too many wait\. Before this line, 1000 inst/);
      assert.match(error.hint!, /^Wait\. Run the same command again to continue/);
      return true;
    });
  }));

test("queueFile() ends between two calls when it is interrupted", () =>
  withFile(many(3_000), async (file, daemon, target) => {
    const { digest } = await checkFile(file, target);
    const interrupt = new AbortController();
    const stopping: Target = {
      ...target,
      signal: interrupt.signal,
      progress: () => interrupt.abort(),
    };
    const queued = await queueFile(file, stopping, { digest, salt: "" });
    assert.deepEqual(queued, { lines: 1_000, existing: 0 });
    assert.equal(daemon.queued.size, 1_000);
  }));

test("queueFile() as a dry run counts what was queued before, and queues nothing", () =>
  withFile(many(3), async (file, daemon, target, steps) => {
    const { digest } = await checkFile(file, target);
    const dry = { digest, salt: "", isDryRun: true };
    assert.deepEqual(await queueFile(file, target, dry), { lines: 3, existing: 0 });
    await queueFile(file, target, { digest, salt: "" });
    assert.deepEqual(await queueFile(file, target, dry), { lines: 3, existing: 3 });
    assert.equal(daemon.queued.size, 3);
    assert.equal(steps.at(-1)?.step, "check");
  }));
