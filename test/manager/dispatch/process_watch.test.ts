import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE_MS, ManagerWorld, ScriptedAttempt } from "../../support/worlds/manager_world.ts";

// Fault 113: an attempt whose process vanishes without an exit being seen.

/** A world with one attempt whose process can vanish. */
async function world() {
  const it = await new ManagerWorld().started();
  const state: { why: string | null } = { why: null };
  const hurried: number[] = [];
  it.executor.onRun = (attempt: ScriptedAttempt) => {
    Object.assign(attempt, {
      missing: () => state.why,
      hurry: (withinMs: number) => hurried.push(withinMs),
    });
  };
  const { id } = await it.schedule();
  return { it, id, state, hurried };
}

test("an attempt whose process is gone ends as lost before a lease is over, and runs again", async () => {
  const { it, id, state, hurried } = await world();
  await it.clock.advance(20_000);
  assert.equal(it.executor.attempts.length, 1);
  state.why = "its worker, process 7, is gone";
  await it.clock.advance(LEASE_MS / 4);
  assert.equal(it.manager.workers().missing, 1);
  state.why = "its worker, process 7, is gone";
  await it.clock.advance(LEASE_MS * 3 / 4);
  assert.deepEqual(hurried, [0], "whatever runs is killed before it runs again");
  assert.equal(it.executor.attempts.length, 2);
  const { crashes, attempt } = (await it.of(it.store.get(id)))!;
  assert.deepEqual([attempt, crashes], [2, 1]);
  assert.equal(it.records.filter((line) => line.includes("without a process")).length, 1);
  assert.match(it.records.join("\n"), /its worker, process 7, is gone/);
});

test("the late end of an attempt that was given up changes nothing", async () => {
  const { it, id, state } = await world();
  const [first] = it.executor.attempts;
  state.why = "its supervisor does not have it";
  await it.clock.advance(LEASE_MS * 3 / 4);
  state.why = null;
  first!.ok();
  await it.clock.advance(1_000);
  assert.equal(it.executor.attempts.length, 2);
  assert.equal((await it.of(it.store.get(id)))!.state, "processing");
  it.executor.last.ok();
  await it.clock.advance(100);
  assert.equal((await it.of(it.store.get(id)))!.state, "completed");
});

test("an attempt that only seemed to be without a process runs on", async () => {
  const { it, state } = await world();
  for (let round = 0; round < 5; round++) {
    state.why = "its worker does not have it";
    await it.clock.advance(LEASE_MS / 4);
    state.why = null;
    await it.clock.advance(LEASE_MS / 2);
  }
  assert.equal(it.executor.attempts.length, 1);
  assert.equal(it.manager.workers().missing, undefined);
});
