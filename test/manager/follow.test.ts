import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import type { FollowOptions, FollowStep } from "../../src/manager/api.ts";
import type { LogTailQuery } from "../../src/store/store.ts";
import { jobOf, ManagerWorld } from "../support/manager_world.ts";

/** Follows as fast as the manager tells; what came, as text. */
function watch(world: ManagerWorld, query: LogTailQuery, options: FollowOptions = {}) {
  const told: string[] = [];
  const steps: FollowStep[] = [];
  const read = async () => {
    for await (const step of world.manager.follow(query, options)) {
      steps.push(step);
      told.push(...step.entries.map(({ message }) => message));
      if (step.instance) told.push(step.instance.state);
    }
    told.push("end");
  };
  return { told, steps, done: read() };
}

test("follow() tells the lines of an instance as they are written, its states, and ends with it", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.executor.last.log("one");
  await world.clock.advance(100);
  const { told, done } = watch(world, { instanceId: id });
  await world.clock.settle();
  assert.deepEqual(told, ["one", "processing"]);
  world.executor.last.log("two");
  world.executor.last.sink.progress({ done: 1, total: 2 });
  await world.clock.advance(200);
  assert.deepEqual(told.slice(2), ["two", "processing"]);
  world.executor.last.log("three");
  world.executor.last.ok();
  await world.clock.advance(200);
  await done;
  assert.deepEqual(told.slice(4), ["three", "completed", "end"]);
});

test("follow() tells a long log whole, in steps, before the final instance", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const lines = Array.from({ length: 120 }, (_, index) => `line ${index}`);
  for (const line of lines) world.executor.last.log(line);
  world.executor.last.ok();
  await world.clock.settle();
  const { told, steps, done } = watch(world, { instanceId: id });
  await world.of(done);
  assert.deepEqual(told, [...lines, "completed", "end"]);
  const { cursor } = steps[0]!;
  const rest = watch(world, { instanceId: id }, { cursor });
  await world.of(rest.done);
  assert.deepEqual(rest.told, [...lines.slice(steps[0]!.entries.length), "completed", "end"]);
});

test("follow() of a kind tells only its lines, from now on when so asked, and ends by its signal", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")], workers: 4 })
    .started();
  await world.schedule();
  const [work] = world.executor.attempts;
  work!.log("before");
  await world.clock.advance(100);
  const stop = new AbortController();
  const { told, done } = watch(world, { kind: "work" }, { fromNow: true, signal: stop.signal });
  await world.clock.settle();
  await world.of(world.manager.scheduleJob("other"));
  world.executor.last.log("of other");
  work!.log("after");
  await world.clock.advance(200);
  assert.deepEqual(told, ["after"]);
  stop.abort();
  await world.clock.advance(100);
  await done;
  assert.deepEqual(told, ["after", "end"]);
});

test("fault 70: a follower that goes away leaves no timer and no listener behind", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const before = world.clock.nextTimerMs();
  const stop = new AbortController();
  const followers = Array.from(
    { length: 50 },
    () => watch(world, { instanceId: id }, { signal: stop.signal }),
  );
  await world.clock.advance(1_000);
  stop.abort();
  await world.clock.settle();
  await Promise.all(followers.map(({ done }) => done));
  world.executor.last.log("nobody listens");
  await world.clock.advance(1_000);
  assert.ok(world.clock.nextTimerMs()! >= before!, "a timer is left");
});

test("follow() is refused for an unknown instance and a cursor that is none", async () => {
  const world = await new ManagerWorld().started();
  const unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
  await assert.rejects(
    world.of(watch(world, { instanceId: unknown }).done),
    (error) => isJobError(error, "not_found"),
  );
  await assert.rejects(
    world.of(watch(world, {}, { cursor: "nonsense" }).done),
    (error) => isJobError(error, "invalid_argument"),
  );
});
