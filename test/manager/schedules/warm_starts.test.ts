import assert from "node:assert/strict";
import test from "node:test";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { commandJob } from "../../support/attempts.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;

/** A manager with a schedule each five minutes, and when a start was prepared, in ms after one. */
async function worldOf(source: JobDefinition["source"]) {
  const schedules = [scheduleOf({ cron: "*/5 * * * *" })];
  const job = { ...jobOf("tick", { schedules }), source };
  const world = new ManagerWorld({ jobs: [job] });
  const prepared: string[] = [];
  Object.assign(world.executor, {
    prepare: ({ kind }: JobDefinition) => {
      prepared.push(`${kind} ${world.clock.now().wallMs % (5 * MINUTE)}`);
    },
  });
  world.executor.onRun = (attempt) => attempt.ok();
  await world.started();
  return { world, prepared };
}

test("what a command needs is started a second before each tick, the first one included", async () => {
  const { world, prepared } = await worldOf(commandJob(["true"]).source);
  await world.clock.advance(5 * MINUTE);
  assert.deepEqual(prepared, [`tick ${5 * MINUTE - 1_000}`]);
  assert.equal(world.executor.attempts.length, 1);
  await world.clock.advance(10 * MINUTE);
  assert.deepEqual(prepared, Array(3).fill(`tick ${5 * MINUTE - 1_000}`));
  assert.equal(world.executor.attempts.length, 3);
});

test("nothing is started ahead for functions, nor once the manager has stopped", async () => {
  const functions = await worldOf({ type: "function", run: () => {}, handlers: {} });
  await functions.world.clock.advance(5 * MINUTE);
  assert.deepEqual(functions.prepared, []);
  const stopped = await worldOf(commandJob(["true"]).source);
  await stopped.world.of(stopped.world.manager.stop());
  await stopped.world.clock.advance(5 * MINUTE);
  assert.deepEqual(stopped.prepared, []);
});
