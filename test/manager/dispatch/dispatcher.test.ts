import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import test from "node:test";
import { AHEAD_MS_MAX } from "../../../src/store/store.ts";
import { jobOf, LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";

test("dispatcher() claims in the turn in which an instance was enqueued", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  assert.equal(world.executor.attempts.length, 1);
  assert.equal((await world.get(id)).state, "processing");
  world.executor.last.ok("[1]");
  await world.clock.settle();
  const { state, resultsJson } = await world.get(id);
  assert.deepEqual([state, resultsJson], ["completed", "[1]"]);
});

test("dispatcher() sleeps until an instance is due, and asks nothing meanwhile", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule("work", { afterMs: 50_000 });
  const claims = world.link.count("claim");
  await world.clock.advance(50_000 - AHEAD_MS_MAX);
  assert.equal(world.link.count("claim"), claims);
  await world.clock.advance(AHEAD_MS_MAX - 1);
  assert.equal(world.executor.attempts.length, 0);
  await world.clock.advance(1);
  assert.equal(world.executor.attempts.length, 1);
});

test("dispatcher() claims again for what was enqueued while a claim was in flight", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const release = world.link.hold("claim");
  await world.schedule();
  await world.schedule();
  assert.equal(world.executor.attempts.length, 0);
  release();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 2);
});

test("dispatcher() claims nothing with no workers and at once when it gets some", async () => {
  const world = await new ManagerWorld({ workers: 0 }).started();
  for (let index = 0; index < 3; index++) await world.schedule();
  await world.clock.advance(120_000);
  assert.equal(world.executor.attempts.length, 0);
  await world.of(world.manager.resizeWorkers(2));
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 2);
  assert.equal(world.manager.workers().busy, 2);
});

test("dispatcher() lets surplus attempts end when it shrinks", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  for (let index = 0; index < 3; index++) await world.schedule();
  await world.of(world.manager.resizeWorkers(1));
  world.executor.attempts[0]!.ok();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 2);
  world.executor.attempts[1]!.ok();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 3);
});

test("dispatcher() takes a lower number first, also when it is given at schedule time", async () => {
  const jobs = [jobOf("low", { options: { priority: 9 } }), jobOf("high")];
  const world = await new ManagerWorld({ jobs, workers: 0 }).started();
  await world.schedule("low");
  await world.schedule("high");
  await world.schedule("low", { priority: 0 });
  world.executor.onRun = (attempt) => attempt.ok();
  await world.of(world.manager.resizeWorkers(1));
  await world.clock.settle();
  const order = world.executor.attempts.map(({ instance }) => [instance.kind, instance.priority]);
  assert.deepEqual(order, [["low", 0], ["high", 5], ["low", 9]]);
});

const limited = (options: Partial<JobOptions>) => jobOf("work", { options });

test("dispatcher() starts what waits for a slot in the turn in which it is free", async () => {
  const jobs = [limited({ concurrency: [{ max: 1, by: [], per: "cluster" }] })];
  const world = await new ManagerWorld({ jobs, workers: 4 }).started();
  for (let index = 0; index < 3; index++) await world.schedule();
  assert.equal(world.executor.attempts.length, 1);
  const claims = world.link.count("claim");
  await world.clock.advance(60_000);
  assert.equal(world.link.count("claim"), claims);
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 2);
  world.executor.last.fail();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 3);
});

test("dispatcher() sleeps until a rate opens, and asks nothing meanwhile", async () => {
  const jobs = [limited({ rate: [{ max: 1, perMs: 30_000, by: [] }] })];
  const world = await new ManagerWorld({ jobs, workers: 4 }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  for (let index = 0; index < 3; index++) await world.schedule();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 1);
  const claims = world.link.count("claim");
  await world.clock.advance(29_999);
  assert.equal(world.executor.attempts.length, 1);
  assert.equal(world.link.count("claim"), claims);
  await world.clock.advance(1);
  assert.equal(world.executor.attempts.length, 2);
  await world.clock.advance(30_000);
  assert.equal(world.executor.attempts.length, 3);
});

test("dispatcher() keeps a pool to its share and gives the rest to others", async () => {
  const jobs = [limited({ pool: "heavy" }), jobOf("light")];
  const world = await new ManagerWorld({ jobs, workers: 3, pools: { heavy: 1 } }).started();
  for (let index = 0; index < 3; index++) await world.schedule();
  for (let index = 0; index < 3; index++) await world.schedule("light");
  const kinds = () => world.executor.attempts.map(({ instance }) => instance.kind);
  assert.deepEqual(kinds(), ["work", "light", "light"]);
  world.executor.attempts[0]!.ok();
  await world.clock.settle();
  assert.deepEqual(kinds().slice(3), ["work"]);
});

test("dispatcher() wakes by itself when a pause ends", async () => {
  const world = await new ManagerWorld().started();
  const until = world.clock.now().wallMs + 30_000;
  await world.of(world.manager.pause("work", { until }));
  await world.schedule();
  await world.clock.advance(29_999);
  assert.equal(world.executor.attempts.length, 0);
  await world.clock.advance(1);
  assert.equal(world.executor.attempts.length, 1);
});

test("dispatcher() claims at once when a pause is lifted", async () => {
  const world = await new ManagerWorld().started();
  await world.of(world.manager.pause(null));
  await world.schedule();
  await world.clock.advance(120_000);
  assert.equal(world.executor.attempts.length, 0);
  assert.equal(await world.of(world.manager.resume(null)), true);
  assert.equal(world.executor.attempts.length, 1);
});

test("dispatcher() runs what waited for a job that is added after the start", async () => {
  const first = await new ManagerWorld({ jobs: [jobOf("late")], workers: 0 }).started();
  await first.schedule("late");
  const { clock, store } = first;
  const world = await new ManagerWorld({ jobs: [], before: { clock, store } }).started();
  assert.equal(world.executor.attempts.length, 0);
  world.manager.addJob(jobOf("late"));
  await clock.settle();
  assert.equal(world.executor.attempts.length, 1);
});

test("dispatcher() keeps an outcome that the store refuses until it takes it", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.link.cut(["settle", "claim"], "resource_exhausted");
  world.executor.last.ok("[7]");
  await world.clock.advance(3 * LEASE_MS);
  assert.equal((await world.get(id)).state, "processing");
  assert.ok(world.link.count("settle") < 100, `settled ${world.link.count("settle")} times`);
  world.link.mend();
  await world.clock.advance(2_000);
  assert.equal((await world.get(id)).resultsJson, "[7]");
  assert.equal((await world.get(id)).attempt, 1);
});

test("dispatcher() renews leases and stops nothing when the store was away for a while", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule();
  world.link.cut(["renew"]);
  await world.clock.advance(LEASE_MS * 0.7);
  assert.deepEqual(world.executor.last.deadlines, []);
  world.link.mend();
  await world.clock.advance(LEASE_MS * 4);
  assert.ok(world.executor.last.deadlines.length >= 10);
  assert.deepEqual(world.executor.last.aborts, []);
});

test("dispatcher() warns now and then while the store takes too long to renew leases", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule();
  const warnings = () => world.logged.filter((line) => /takes too long to renew/.test(line)).length;
  const renewSlowly = async (ms: number) => {
    const release = world.link.hold("renew");
    await world.clock.advance(LEASE_MS / 3 + ms);
    release();
    await world.clock.settle();
  };
  await renewSlowly(LEASE_MS / 3);
  assert.equal(warnings(), 0);
  await renewSlowly(LEASE_MS / 2);
  assert.equal(warnings(), 1);
  await renewSlowly(LEASE_MS / 2);
  assert.equal(warnings(), 1);
  await world.clock.advance(600_000);
  await renewSlowly(LEASE_MS / 2);
  assert.equal(warnings(), 2);
});

test("dispatcher() renews more claims than one request may name", async () => {
  const world = await new ManagerWorld({ workers: 1_000 }).started();
  world.link.cut(["settle"]);
  for (let round = 0; round < 2; round++) {
    const requests = Array.from({ length: 600 }, () => ({ kind: "work" }));
    await world.of(world.manager.scheduleJobs(requests));
    await world.clock.settle();
    // Ended and not yet settled: the claims are held while their workers are free again.
    if (round === 0) { for (const attempt of world.executor.attempts) attempt.ok(); }
    await world.clock.settle();
  }
  assert.equal(world.executor.attempts.length, 1_200);
  await world.clock.advance(LEASE_MS * 2);
  const waiting = (await world.of(world.store.stats())).kinds.get("work");
  assert.equal(waiting?.processing, 1_200);
  world.link.mend();
  await world.clock.advance(2_000);
  assert.equal((await world.of(world.store.stats())).kinds.get("work")?.completed, 600);
});

test("dispatcher() aborts an attempt whose claim was lost and records nothing of it", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const [attempt] = world.executor.attempts;
  world.link.cut(["renew"]);
  await world.clock.advance(LEASE_MS + 2_000);
  assert.equal((await world.get(id)).crashes, 1);
  attempt!.aborted("lease");
  await world.clock.advance(2_000);
  assert.equal(world.executor.attempts.length, 2);
  world.executor.last.ok();
  await world.clock.settle();
  const { state, crashes, failures } = await world.get(id);
  assert.deepEqual([state, crashes, failures], ["completed", 1, 0]);
});

test("dispatcher() gives a claim back when the executor cannot even begin", async () => {
  const world = await new ManagerWorld().started();
  let refusals = 1;
  world.executor.onRun = () => {
    if (refusals-- > 0) throw new Error("no memory");
  };
  const { id } = await world.schedule();
  await world.clock.advance(2_000);
  assert.equal(world.executor.attempts.length, 2);
  world.executor.last.ok();
  await world.clock.settle();
  const { state, crashes } = await world.get(id);
  assert.deepEqual([state, crashes], ["completed", 1]);
});

test("dispatcher() retries with the back-off of the job, kept in the store", async () => {
  const options = {
    retry: {
      ...JOB_DEFAULTS.retry,
      max: 2,
      backoff: "exponential",
      initialMs: 1_000,
      capMs: 60_000,
      jitter: 0,
    },
  } as const;
  const world = await new ManagerWorld({ jobs: [jobOf("work", { options })] }).started();
  world.executor.onRun = (attempt) => attempt.fail();
  const { id, dueAt } = await world.schedule();
  const first = await world.get(id);
  assert.deepEqual([first.state, first.failures, first.dueAt - dueAt], ["scheduled", 1, 1_000]);
  await world.clock.advance(1_000);
  assert.equal((await world.get(id)).dueAt - dueAt, 3_000);
  await world.clock.advance(2_000);
  const last = await world.get(id);
  assert.deepEqual([last.state, last.reason, last.attempt], ["terminated", "error", 3]);
});

test("dispatcher() retries for ever where the instance says so", async () => {
  const world = await new ManagerWorld().started();
  world.executor.onRun = (attempt) => attempt.fail();
  const { id } = await world.schedule("work", { retries: -1 });
  await world.clock.advance(50_000);
  const { state, failures } = await world.get(id);
  assert.deepEqual([state, failures], ["scheduled", 51]);
});

test("dispatcher() terminates an instance that lost its worker too often", async () => {
  const world = await new ManagerWorld().started();
  world.executor.onRun = (attempt) => attempt.lose();
  const { id } = await world.schedule();
  await world.clock.advance(60_000);
  const { state, reason, crashes, failures } = await world.get(id);
  assert.deepEqual([state, reason, crashes, failures], ["terminated", "lost", 4, 0]);
});

test("dispatcher() gives an attempt the time limit of its instance", async () => {
  const jobs = [jobOf("work", { options: { timeoutMs: 1_000 } })];
  const world = await new ManagerWorld({ jobs, workers: 2 }).started();
  await world.schedule("work", { timeoutMs: 7 });
  await world.schedule();
  assert.deepEqual(world.executor.attempts.map(({ instance }) => instance.timeoutMs), [7, 1_000]);
  world.executor.last.aborted("timeout");
  await world.clock.settle();
  assert.equal((await world.get(world.executor.last.instance.id)).state, "timedOut");
});

test("pause() takes a reason of 1,000 characters and not one more", async () => {
  const world = await new ManagerWorld().started();
  const reason = "r".repeat(1_000);
  assert.equal((await world.of(world.manager.pause("work", { reason }))).reason, reason);
  await assert.rejects(world.of(world.manager.pause("work", { reason: `${reason}r` })), {
    code: "invalid_argument",
    path: "reason",
  });
});
