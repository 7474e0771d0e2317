import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { FakeManager } from "../../support/worlds/fake_manager.ts";
import { NO_AUTH, rpcWorld, tokenEntry } from "../../support/worlds/rpc_world.ts";

test("WorkOnStore streams the steps of a work, the parts of a backup and the report", async () => {
  await using world = await rpcWorld();
  const steps = [];
  for await (const { step } of world.client().workOnStore({ work: "backup" })) {
    steps.push([step.case, step.case === "chunk" ? [...step.value] : step.value]);
  }
  assert.deepEqual(steps, [
    ["progress", "backup begins"],
    ["chunk", [1, 2, 3]],
    ["reportJson", '{"work":"backup"}'],
  ]);
});

test("WorkOnStore refuses a work that it does not know, and a move without a target", async () => {
  await using world = await rpcWorld();
  const first = (work: string) =>
    world.client().workOnStore({ work })[Symbol.asyncIterator]().next();
  await assert.rejects(
    first("paint"),
    (error) => isJobError(error, "invalid_argument") && error.message.includes('"paint"'),
  );
  await assert.rejects(first("migrate"), (error) => isJobError(error, "invalid_argument"));
});

test("WorkOnStore asks for the role of an administrator", async () => {
  const tokens = [tokenEntry("ops", "secret-operator-token", "operator")];
  await using world = await rpcWorld({
    server: { auth: { ...NO_AUTH, mode: "token", tokens } },
  });
  const client = world.client({ token: "secret-operator-token" });
  await assert.rejects(
    client.workOnStore({ work: "info" })[Symbol.asyncIterator]().next(),
    (error) => isJobError(error, "permission_denied"),
  );
});

test("WorkOnStore ends the work when the client disconnects", async () => {
  const manager = new FakeManager();
  const ended = new Promise<void>((resolve) => {
    manager.workOnStore = async function* (_work, { signal } = {}) {
      yield { type: "progress", text: "begun" };
      await new Promise<void>((done) => signal!.addEventListener("abort", () => done()));
      resolve();
    };
  });
  await using world = await rpcWorld({ manager });
  const abort = new AbortController();
  const steps = world.client().workOnStore({ work: "gc" }, { signal: abort.signal });
  for await (const { step } of steps) {
    assert.equal(step.case, "progress");
    abort.abort();
  }
  await ended;
});
