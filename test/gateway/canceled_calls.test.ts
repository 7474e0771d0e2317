import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { ManagerEndpoint } from "../../src/gateway/manager_endpoint.ts";
import { RemoteBackend } from "../../src/gateway/remote_backend.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Lazy } from "../../src/platform/lazy.ts";
import type { LiveFacts } from "../../src/manager/api.ts";
import type { StatusSource } from "../../src/http/monitoring/status_source.ts";
import { memorySessions } from "../support/worlds/memory_sessions.ts";

/** Both sides in one thread; the test completes the calls. */
function world() {
  const begun: PromiseWithResolvers<Uint8Array>[] = [];
  const endpoint: ManagerEndpoint = new ManagerEndpoint({
    backend: new Lazy(() =>
      Promise.resolve({
        complete() {
          const answer = Promise.withResolvers<Uint8Array>();
          begun.push(answer);
          return answer.promise;
        },
        stream: () => assert.fail("no stream"),
      })
    ),
    source: {} as StatusSource,
    sessions: memorySessions(systemClock),
    facts: {} as LiveFacts,
    subscribe: () => () => {},
    clock: systemClock,
    post: (batch) => remote.receive(batch),
  });
  const remote: RemoteBackend = new RemoteBackend(systemClock, (batch) => endpoint.receive(batch));
  const call = () => {
    let cancel = () => {};
    let isCanceled = false;
    const answer = remote.complete("lookupInstances", new Uint8Array(1), {
      isCanceled: () => isCanceled,
      onCancel: (listener) => void (cancel = listener),
      jobs: null,
    });
    return {
      answer,
      cancel() {
        isCanceled = true;
        cancel();
      },
    };
  };
  return { begun, call };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const isCanceled = (error: unknown) => isJobError(error, "canceled");

test("a canceled call lasts until the manager no longer works on it", async () => {
  const { begun, call } = world();
  const { answer, cancel } = call();
  let isSettled = false;
  answer.then(() => isSettled = true, () => isSettled = true);
  while (begun.length === 0) await turn();
  cancel();
  await turn();
  assert.equal(isSettled, false);
  begun[0]!.resolve(new Uint8Array(1));
  await assert.rejects(answer, isCanceled);
});

test("a call that is canceled in the turn of its start is never begun", async () => {
  const { begun, call } = world();
  const { answer, cancel } = call();
  cancel();
  await assert.rejects(answer, isCanceled);
  assert.equal(begun.length, 0);
  const next = call();
  while (begun.length === 0) await turn();
  begun[0]!.resolve(new Uint8Array(2));
  assert.equal((await next.answer).byteLength, 2);
});
