import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  type Operation,
  OperationQueue,
} from "../../../src/store/valkey/operations/operation_queue.ts";

const WAITING_MAX = 50_000;

const STATS: Operation<unknown> = {
  action: "stats",
  read: () => null,
};

test("OperationQueue refuses an operation when 50,000 wait, and does not affect these", async () => {
  let settled = 0;
  const queue = new OperationQueue({
    // A server that never responds during the test.
    link: { run: () => new Promise<Uint8Array>(() => {}) } as never,
    prefix: "jobctl:{test}:",
    connection: "one",
    clock: undefined,
    defer: () => {},
    publish: () => {},
  });
  const ask = () => queue.read(STATS).finally(() => settled += 1);
  for (let count = 0; count < WAITING_MAX; count++) ask().catch(() => {});
  await assert.rejects(ask(), (error) => isJobError(error, "resource_exhausted"));
  assert.equal(settled, 1);
});
