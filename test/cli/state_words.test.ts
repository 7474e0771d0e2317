import assert from "node:assert/strict";
import test from "node:test";
import { stateCell, type Stated } from "../../src/cli/views/state_words.ts";
import { JobState } from "../../src/rpc/gen/job_pb.ts";

const { SCHEDULED, PROCESSING, COMPLETED, TERMINATED, TIMED_OUT, CANCELLED } = JobState;
const NODE = { limit: "node", name: "a", used: 0n, max: 0n } as Stated["blockedBy"];
const error = (detail: object) => detail as Stated["errorDetail"];

const WORDS: readonly (readonly [Omit<Stated, "$typeName">, string])[] = [
  [{ state: JobState.CREATED }, "created"],
  [{ state: SCHEDULED }, "waiting"],
  [{ state: SCHEDULED, reason: "error", failures: 2 }, "waiting: retry 2"],
  [{ state: SCHEDULED, reason: "timeout" }, "waiting: retry"],
  [{ state: SCHEDULED, reason: "lost", failures: 0 }, "waiting: crashed"],
  [{ state: SCHEDULED, reason: "snoozed", failures: 0 }, "waiting: snoozed"],
  [{ state: SCHEDULED, reason: "released" }, "waiting: daemon stopped"],
  [{ state: SCHEDULED, reason: "queued", failures: 0 }, "waiting: previous run"],
  [{ state: SCHEDULED, blockedBy: NODE }, "waiting: no node"],
  [{ state: PROCESSING }, "running"],
  [
    { state: PROCESSING, progress: { done: 429, total: 1_000 } as Stated["progress"] },
    "running 42%",
  ],
  [{ state: PROCESSING, progress: { done: 3 } as Stated["progress"] }, "running"],
  [
    { state: PROCESSING, cancelRequestedAt: {} as Stated["cancelRequestedAt"] },
    "running: canceling",
  ],
  [{ state: COMPLETED, reason: "ok" }, "done"],
  [{ state: TERMINATED, reason: "error" }, "failed"],
  [{ state: TERMINATED, reason: "error", errorDetail: error({ exitCode: 3 }) }, "failed: exit 3"],
  [
    {
      state: TERMINATED,
      reason: "error",
      errorDetail: error({ signal: "SIGKILL", exitCode: 137 }),
    },
    "failed: SIGKILL",
  ],
  [{ state: TERMINATED, reason: "lost" }, "failed: crashed"],
  [{ state: TERMINATED, reason: "drained" }, "failed: daemon stopped"],
  [{ state: TERMINATED, reason: "discarded" }, "failed: gave up"],
  [{ state: TERMINATED, reason: "a new reason" }, "failed: a new reason"],
  [{ state: TIMED_OUT, reason: "timeout", errorDetail: error({ exitCode: 3 }) }, "failed: timeout"],
  [{ state: TIMED_OUT, reason: "deadline" }, "failed: deadline"],
  [{ state: CANCELLED, reason: "canceled" }, "canceled"],
  [{ state: CANCELLED, reason: "replaced" }, "canceled: replaced"],
  [{ state: CANCELLED, reason: "missed" }, "missed"],
  [{ state: TERMINATED, reason: "skipped:overlap" }, "skipped"],
  [{ state: 3 as JobState }, "unknown"],
];

for (const [stated, text] of WORDS) {
  test(`stateCell() says "${text}" of state ${stated.state}, reason ${stated.reason}`, () => {
    assert.equal(stateCell(stated as Stated).text, text);
  });
}
