import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { instanceToWire } from "../../../src/rpc/messages/convert.ts";
import type { FreezeProblem } from "../../../src/worker/executor.ts";
import { commandJob } from "../../support/attempts.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const WORK = { ...jobOf("work"), source: commandJob(["true"]).source };

/** A world that runs one command, whose executor answers a request to freeze it with `problem`. */
async function runningWorld(problem: FreezeProblem | null = null) {
  const world = await new ManagerWorld({ jobs: [WORK, jobOf("module")] }).started();
  const requests: boolean[] = [];
  world.executor.onRun = (attempt) => {
    Object.assign(attempt, {
      freeze: (isFrozen: boolean) => {
        requests.push(isFrozen);
        return Promise.resolve(problem);
      },
    });
  };
  const { id } = await world.schedule("work");
  await world.clock.settle();
  const freeze = (options = {}) => world.of(world.manager.freezeInstance(id, options));
  return { world, id, requests, freeze };
}

function refusal(code: Parameters<typeof isJobError>[1], pattern: RegExp) {
  return (error: unknown) => isJobError(error, code) && pattern.test(error.message);
}

test("freezeInstance() freezes a command, says so in its log, and lets it continue", async () => {
  const { world, id, requests, freeze } = await runningWorld();
  const frozen = await freeze({ reason: "disk" });
  assert.equal(frozen.changed, true);
  assert.equal(instanceToWire(frozen.instance).frozenAt, world.clock.now().wallMs);
  assert.equal(instanceToWire(frozen.instance).progress, null);
  assert.equal((await freeze()).changed, false);
  const { instance, changed } = await freeze({ thaw: true });
  assert.equal(changed, true);
  assert.equal(instanceToWire(instance).frozenAt, null);
  assert.equal((await freeze({ thaw: true })).changed, false);
  assert.deepEqual(requests, [true, false]);
  assert.deepEqual(await world.logOf(id), ["Frozen: disk", "Continued"]);
});

test("freezeInstance() shows nothing as frozen that has ended", async () => {
  const { world, id, freeze } = await runningWorld();
  await freeze();
  world.executor.last.fail();
  await world.clock.settle();
  assert.equal(instanceToWire(await world.get(id)).frozenAt, null);
  await assert.rejects(freeze(), refusal("conflict", /it is not running$/));
});

test("freezeInstance() says what prevents it", async () => {
  const groups = await runningWorld({ type: "groups", message: "no group" });
  await assert.rejects(groups.freeze(), refusal("unimplemented", /^Cannot freeze .*: no group$/));
  const state = await runningWorld({ type: "state", message: "it is ending" });
  await assert.rejects(state.freeze(), refusal("conflict", /: it is ending$/));
  assert.deepEqual(await state.world.logOf(state.id), []);
  assert.equal(instanceToWire(await state.world.get(state.id)).frozenAt, null);
});

test("freezeInstance() refuses functions, and what another node runs", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("module")] }).started();
  const { id } = await world.schedule("module");
  await world.clock.settle();
  const freeze = (of: ManagerWorld) => world.of(of.manager.freezeInstance(id, { thaw: true }));
  await assert.rejects(freeze(world), refusal("conflict", /^Cannot resume .*run a command$/));
  const other = await new ManagerWorld({ before: world }).started();
  await assert.rejects(freeze(other), refusal("conflict", /: it runs on node "node"$/));
});
