import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { FollowOptions, FollowStep } from "../../../src/manager/api.ts";
import { scopedManager } from "../../../src/manager/scoped_manager.ts";
import type { LogTailQuery } from "../../../src/store/store.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

/** Follows as fast as the manager sends. Returns the steps as text. */
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

test("follow() returns the lines of an instance as they are written, and its states, and ends with it", async () => {
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

test("follow() returns a long log whole, in steps, before the final instance", async () => {
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

test("follow() of a kind returns only its lines, from now on if requested, and ends by its signal", async () => {
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

/** Follows a kind or all. Returns each reported state as `kind state`. */
function watchChanges(world: ManagerWorld, query: LogTailQuery, options: FollowOptions = {}) {
  const stop = new AbortController();
  const told: string[] = [];
  const steps: FollowStep[] = [];
  const read = async () => {
    const given = { fromNow: true, signal: stop.signal, ...options };
    for await (const step of world.manager.follow(query, given)) {
      steps.push(step);
      told.push(...step.changed.map(({ kind, state }) => `${kind} ${state}`));
    }
  };
  const done = read();
  return {
    told,
    steps,
    end: async () => {
      stop.abort();
      await world.clock.advance(2_000);
      await done;
    },
  };
}

test("follow() of a kind and of all returns the instances whose state or progress has changed", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")], workers: 4 })
    .started();
  const all = watchChanges(world, {});
  const work = watchChanges(world, { kind: "work" });
  const lines = watchChanges(world, {}, { logsOnly: true });
  await world.clock.advance(100);
  assert.deepEqual([work.steps.length, lines.steps.length], [1, 1], "the first step comes at once");
  const { id } = await world.of(
    world.manager.scheduleJob("work", { arguments: ["x"], afterMs: 1_000 }),
  );
  await world.clock.advance(200);
  assert.deepEqual(work.told, ["work scheduled"]);
  await world.clock.advance(1_000);
  assert.deepEqual(work.told.slice(1), ["work processing"]);
  await world.of(world.manager.scheduleJob("other"));
  await world.clock.advance(200);
  const [attempt] = world.executor.attempts;
  attempt!.log("a line is no change");
  await world.clock.advance(200);
  assert.deepEqual([work.told.length, all.told.length], [2, 3]);
  attempt!.sink.progress({ done: 1, total: 2 });
  await world.clock.advance(1_000);
  assert.deepEqual(work.told.slice(2), ["work processing"]);
  attempt!.ok("result");
  await world.clock.advance(200);
  assert.deepEqual(work.told.slice(3), ["work completed"]);
  assert.deepEqual(lines.told, []);
  const last = work.steps.at(-1)!;
  assert.deepEqual(
    last.changed.map((one) => [one.id, one.argumentsJson, one.resultsJson]),
    [[id, "[]", null]],
  );
  assert.ok(!all.steps.some(({ hasMissed }) => hasMissed));
  for (const follower of [all, work, lines]) await follower.end();
});

test("follow() of a caller limited to one job returns no change of another", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")] }).started();
  const scoped = scopedManager(world.manager, ["work"]);
  const seen: string[] = [];
  const stop = new AbortController();
  const read = async () => {
    for await (const step of scoped.follow({}, { signal: stop.signal })) {
      seen.push(...step.changed.map(({ kind }) => kind));
    }
  };
  const done = read();
  await world.clock.advance(100);
  for (const kind of ["other", "work"]) await world.of(world.manager.scheduleJob(kind));
  await world.clock.advance(1_000);
  assert.deepEqual([...new Set(seen)], ["work"]);
  await assert.rejects(
    scoped.follow({ kind: "other" }).next(),
    (error) => isJobError(error, "permission_denied"),
  );
  stop.abort();
  await world.clock.advance(2_000);
  await done;
});

test("follow() returns many changed instances in steps, and reports when it cannot list them", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work")], workers: 0 }).started();
  const follower = watchChanges(world, { kind: "work" });
  await world.clock.advance(100);
  const many = Array.from({ length: 120 }, () => ({ kind: "work", afterMs: 60_000 }));
  await world.of(world.manager.scheduleJobs(many));
  // Each step sets a timer for the next, after more promises than one move of the clock runs.
  for (let step = 0; step < 4; step++) await world.clock.advance(250);
  assert.equal(follower.told.length, 120);
  assert.ok(follower.steps.every(({ changed }) => changed.length <= 50));
  assert.ok(!follower.steps.some(({ hasMissed }) => hasMissed));
  const tooMany = Array.from({ length: 600 }, () => ({ kind: "work", afterMs: 60_000 }));
  const both = [world.manager.scheduleJobs(tooMany), world.manager.scheduleJobs(tooMany)];
  for (const scheduled of both) await world.of(scheduled);
  await world.clock.advance(5_000);
  assert.ok(follower.steps.some(({ hasMissed }) => hasMissed));
  await follower.end();
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

test("follow() sends a large instance to a few followers at once, and to each in the end", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule("work", { arguments: ["x".repeat(40_000)] });
  world.executor.last.log("one");
  await world.clock.advance(100);
  const all = Array.from({ length: 10 }, () => watch(world, { instanceId: id }));
  await world.clock.advance(500);
  for (const { told } of all) assert.deepEqual(told, ["one", "processing"]);
  const shared = new Set(all.map(({ steps }) => steps.at(-1)!.instance));
  assert.equal(shared.size, 1, "all share what was read");
  // Its lines come first, however many there are.
  for (let line = 0; line < 120; line++) world.executor.last.log("two");
  world.executor.last.ok();
  await world.clock.advance(1_000);
  for (const { told, done } of all) {
    await done;
    assert.deepEqual(told.slice(2), [...Array(120).fill("two"), "completed", "end"]);
  }
});

test("follow() sends a large instance to the others while two do not read", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule("work", { arguments: ["x".repeat(40_000)] });
  for (let count = 0; count < 2; count++) {
    const unread = world.manager.follow({ instanceId: id });
    const { value } = await world.of(unread.next());
    assert.equal(value!.instance!.id, id);
  }
  const { told } = watch(world, { instanceId: id });
  await world.clock.settle();
  assert.deepEqual(told, []);
  await world.clock.advance(5);
  assert.deepEqual(told, ["processing"]);
});

test("follow() returns changes since the read of another follower that has left", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const left = world.manager.follow({ instanceId: id });
  assert.equal((await world.of(left.next())).value!.instance!.state, "processing");
  await world.of(left.return(undefined));
  world.executor.last.ok();
  await world.clock.settle();
  const { told, done } = watch(world, { instanceId: id });
  await world.clock.settle();
  await done;
  assert.deepEqual(told, ["completed", "end"]);
});
