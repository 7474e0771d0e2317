import assert from "node:assert/strict";
import { test } from "node:test";
import type { AddNews } from "../../../src/store/store.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { expectingJob, WatcherWorld } from "./watcher_world.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const STORES = {
  memory: (clock: SimClock) => new MemoryStore({ defer: (callback) => clock.defer(callback) }),
  sqlite: (clock: SimClock) =>
    new SqliteStore({ path: ":memory:", defer: (callback) => clock.defer(callback) }),
};

type Options = NonNullable<ConstructorParameters<typeof WatcherWorld>[0]>;

for (const [name, create] of Object.entries(STORES)) {
  const begin = (options: Options) => {
    const clock = new SimClock();
    return new WatcherWorld({ before: { clock, store: create(clock) }, ...options }).started();
  };

  test(`ExpectationWatcher tells of a run that waits too long on ${name}`, async () => {
    const world = await begin({
      jobs: [expectingJob("work", { startWithinMs: 90_000 }), expectingJob("other", {})],
    });
    await world.schedule("other");
    const { id } = await world.schedule("work");
    await world.clock.advance(90 * SECOND - 1);
    assert.deepEqual(world.news(), []);
    await world.clock.advance(1);
    const late = `late:${id}: due 1m30s ago and not started; expected within 1m30s`;
    assert.deepEqual(world.news(), [`${late}; the only worker is busy`]);
    const [{ key, news: [news] }] = world.added as [AddNews];
    assert.deepEqual([key, news!.event, news!.instanceId], ["job:work", "late", id]);
    await world.clock.advance(HOUR);
    assert.equal(world.news().length, 1);
  });

  test(`ExpectationWatcher tells of an attempt while it takes too long on ${name}`, async () => {
    const world = await begin({ jobs: [expectingJob("work", { maxDurationMs: 5 * SECOND })] });
    const { id } = await world.schedule();
    await world.clock.advance(5 * SECOND - 1);
    assert.deepEqual(world.news(), []);
    await world.clock.advance(1);
    assert.deepEqual(world.news(), [`long:${id}: running for 5s; expected at most 5s`]);
    await world.clock.advance(HOUR);
    world.executor.last.ok();
    await world.clock.advance(HOUR);
    assert.equal(world.news().length, 1);
  });

  test(`ExpectationWatcher tells of a run that is not finished in time on ${name}`, async () => {
    const retry = { ...expectingJob("work", {}).options.retry, max: 1, initialMs: HOUR };
    const world = await begin({
      jobs: [
        expectingJob("work", { finishWithinMs: 10 * MINUTE }, {
          options: { retry: { ...retry, capMs: HOUR } },
        }),
      ],
    });
    const { id } = await world.schedule();
    world.executor.last.fail();
    await world.clock.advance(10 * MINUTE - 1);
    assert.deepEqual(world.news(), []);
    // It waits for its second attempt by now.
    await world.clock.advance(MINUTE);
    assert.deepEqual(world.news().map((line) => line.split(":", 2).join(":")), [`long:${id}`]);
  });

  test(`ExpectationWatcher tells of a success that took too little on ${name}`, async () => {
    const world = await begin({ jobs: [expectingJob("work", { minDurationMs: 2 * SECOND })] });
    await world.schedule();
    await world.clock.advance(2 * SECOND);
    world.executor.last.ok();
    const { id } = await world.schedule();
    await world.clock.advance(2 * SECOND - 1);
    world.executor.last.ok();
    await world.clock.settle();
    assert.deepEqual(world.news(), [
      `short:${id}: took 1s; expected at least 2s`,
    ]);
    await world.schedule();
    world.executor.last.fail();
    await world.clock.advance(HOUR);
    assert.equal(world.news().length, 1);
  });

  test(`ExpectationWatcher learns what is usual from the last successes on ${name}`, async () => {
    const jobs = [
      expectingJob("work", { learn: true }, { options: { keepSuccessMs: 100 * HOUR } }),
    ];
    const first = await begin({ jobs });
    for (let run = 0; run < 10; run++) {
      await first.schedule();
      await first.clock.advance((run < 9 ? 50 : 60) * SECOND);
      first.executor.last.ok();
      await first.clock.settle();
    }
    const short = await first.schedule();
    await first.clock.advance(4 * SECOND);
    first.executor.last.ok();
    await first.clock.settle();
    assert.deepEqual(first.news(), [`short:${short.id}: took 4s; usually 50s, p99 1m`]);
    await first.of(first.manager.stop());
    first.watcher.stop();
    // Another process knows it from the store.
    const world = await new WatcherWorld({ jobs, before: first }).started();
    const { id } = await world.schedule();
    await world.clock.advance(90 * SECOND - 1);
    assert.deepEqual(world.news(), []);
    await world.clock.advance(1);
    assert.deepEqual(world.news(), [`long:${id}: running for 1m30s; usually 50s, p99 1m`]);
  });

  test(`ExpectationWatcher tells that a job has no success for too long on ${name}`, async () => {
    const options = { keepSuccessMs: 30 * 24 * HOUR };
    const jobs = [expectingJob("work", { everyMs: 24 * HOUR }, { options })];
    // Renewed less often: the days take most of their time for it.
    const leases = { leaseMs: HOUR, nodeLeaseMs: HOUR };
    const world = await begin({ jobs, ...leases });
    await world.clock.advance(23 * HOUR);
    await world.schedule();
    world.executor.last.ok();
    await world.clock.advance(24 * HOUR - 1);
    assert.deepEqual(world.news(), []);
    await world.clock.advance(1);
    const last = Date.UTC(2026, 0, 1, 23);
    const missed = `missed:every:${last}: no success for 1d, the last at ${
      new Date(last).toISOString()
    }; expected every 1d`;
    assert.deepEqual(world.news(), [missed]);
    await world.clock.advance(48 * HOUR);
    assert.equal(world.news().length, 1);
    await world.of(world.manager.stop());
    world.watcher.stop();
    // After a restart it has the same id, so that it is told once.
    const again = await new WatcherWorld({ jobs, before: world, ...leases }).started();
    await again.clock.advance(0);
    assert.equal(again.news()[0]!.slice(0, 26), missed.slice(0, 26));
    await again.schedule();
    again.executor.last.ok();
    await again.clock.advance(24 * HOUR);
    assert.equal(again.news().length, 2);
  });
}

test("ExpectationWatcher tells of runs of schedules without any setting", async () => {
  const world = await new WatcherWorld({
    jobs: [
      expectingJob("tick", { startWithinMs: undefined }, {
        schedules: [scheduleOf({ cron: "5 * * * *" })],
      }),
      expectingJob("other", { startWithinMs: undefined }),
    ],
  }).started();
  await world.schedule("other");
  await world.schedule("other");
  await world.clock.advance(15 * MINUTE - 1);
  assert.deepEqual(world.news(), []);
  await world.clock.advance(1);
  const tick = (await world.instances()).find(({ kind }) => kind === "tick");
  assert.deepEqual(world.news(), [
    `late:${tick!.id}: due 10m ago and not started; expected within 10m; the only worker is busy`,
  ]);
});

test("ExpectationWatcher tells of a run that began late after a time without a daemon", async () => {
  const jobs = [
    expectingJob("tick", { startWithinMs: undefined }, {
      schedules: [scheduleOf({ cron: "0 2 * * *" })],
    }),
  ];
  const first = await new WatcherWorld({ jobs }).started();
  await first.of(first.manager.stop());
  first.watcher.stop();
  await first.clock.advance(9 * HOUR);
  const world = await new WatcherWorld({ jobs, before: first }).started();
  await world.clock.advance(0);
  const { id } = world.executor.last.instance;
  assert.deepEqual(world.news(), [`late:${id}: started 7h after it was due; expected within 10m`]);
});

test("ExpectationWatcher has no timers and asks nothing if no job expects anything", async () => {
  const quiet = expectingJob("work", {});
  const world = await new WatcherWorld({ jobs: [quiet] }).started();
  for (let run = 0; run < 3; run++) {
    await world.schedule();
    world.executor.last.ok();
  }
  await world.clock.advance(HOUR);
  assert.deepEqual([...world.calls.keys()], ["subscribe"]);
});

test("ExpectationWatcher writes nothing for a success within its band", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { learn: true, maxDurationMs: HOUR, minDurationMs: 1 })],
  }).started();
  for (let run = 0; run < 100; run++) {
    await world.schedule();
    await world.clock.advance(5);
    world.executor.last.ok();
    await world.clock.settle();
  }
  assert.equal(world.calls.get("addNews"), undefined);
  // The durations are read once, however many runs there are.
  assert.equal(world.calls.get("list completed"), 1);
});

test("ExpectationWatcher does not tell of what a pause keeps waiting", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { startWithinMs: MINUTE, finishWithinMs: 2 * MINUTE })],
  }).started();
  await world.of(world.manager.pause("work", { reason: "a move" }));
  const { id } = await world.schedule();
  await world.clock.advance(2 * HOUR);
  assert.deepEqual(world.news(), []);
  await world.of(world.manager.resume("work"));
  assert.equal((await world.get(id)).state, "processing");
  await world.clock.advance(2 * MINUTE - 2 * SECOND);
  assert.deepEqual(world.news(), []);
  // From the end of the pause it has the whole time.
  await world.clock.advance(MINUTE);
  assert.deepEqual(world.news().map((line) => line.slice(0, 5)), ["long:"]);
});

test("ExpectationWatcher tells of runs on a node that does not watch", async () => {
  const jobs = [expectingJob("work", { maxDurationMs: 5 * MINUTE })];
  const world = await new WatcherWorld({ jobs, workers: 0 }).started();
  const other = await new WatcherWorld({ jobs, before: world }).started();
  other.watcher.stop();
  const { id } = await other.schedule();
  await world.clock.advance(6 * MINUTE);
  assert.deepEqual(world.news().map((line) => line.slice(0, 41)), [`long:${id}`]);
  assert.deepEqual(other.news(), []);
});

test("ExpectationWatcher of two nodes gives the same news the same id", async () => {
  const jobs = [expectingJob("work", { startWithinMs: 5 * MINUTE })];
  const world = await new WatcherWorld({ jobs, workers: 0 }).started();
  const other = await new WatcherWorld({ jobs, workers: 0, before: world }).started();
  await world.schedule();
  await world.clock.advance(6 * MINUTE);
  assert.equal(world.news().length, 1);
  assert.deepEqual(
    world.news().map((line) => line.slice(0, 41)),
    other.news().map((line) => line.slice(0, 41)),
  );
  const { items: [incident] } = await world.of(world.manager.listIncidents({}));
  assert.deepEqual([incident!.events, incident!.count], [["late"], 1]);
});

test("ExpectationWatcher applies what a reload expects to what runs already", async () => {
  const world = await new WatcherWorld({ jobs: [expectingJob("work", {})] }).started();
  const job = expectingJob("work", { maxDurationMs: 10 * MINUTE });
  await world.schedule();
  await world.clock.advance(MINUTE);
  await world.of(world.manager.reload({
    jobs: [job],
    disabled: new Map(),
    scheduleDefaults: {
      overlap: "skip",
      misfire: "latest",
      misfireWithinMs: 0,
      jitterMs: 0,
      timezone: "UTC",
    },
  }));
  world.watcher.changed();
  await world.clock.advance(9 * MINUTE - 1);
  assert.deepEqual(world.news(), []);
  await world.clock.advance(MINUTE);
  assert.deepEqual(world.news().map((line) => line.slice(0, 5)), ["long:"]);
});

test("ExpectationWatcher measures a run by the monotonic clock", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { maxDurationMs: 10 * MINUTE })],
  }).started();
  await world.schedule();
  world.clock.shiftWall(5 * HOUR);
  await world.clock.advance(10 * MINUTE - 1);
  assert.deepEqual(world.news(), []);
  world.clock.shiftWall(-10 * HOUR);
  await world.clock.advance(1);
  assert.deepEqual(world.news().map((line) => line.slice(0, 5)), ["long:"]);
});

test("ExpectationWatcher tries again if the store does not take the news", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { maxDurationMs: 5 * SECOND })],
  }).started();
  await world.schedule();
  world.link.cut(["addNews"]);
  await world.clock.advance(6 * SECOND);
  assert.deepEqual(world.news(), []);
  world.link.mend();
  await world.clock.advance(MINUTE);
  assert.equal(world.news().length, 1);
});

test("ExpectationWatcher forgets an attempt that another node took over", async () => {
  const jobs = [expectingJob("work", { maxDurationMs: 5 * MINUTE })];
  const world = await new WatcherWorld({ jobs }).started();
  const { id } = await world.schedule();
  world.link.cut(["renew", "settle", "claim"]);
  const other = await new WatcherWorld({ jobs, before: world }).started();
  await world.clock.advance(5 * MINUTE);
  assert.equal((await other.get(id)).node, "node-2");
  assert.deepEqual([world.news(), other.news()], [[], []]);
  await world.clock.advance(MINUTE);
  assert.equal(other.news().length, 1);
});

test("ExpectationWatcher tells once of a run that is taken over after a restart", async () => {
  const jobs = [expectingJob("work", { finishWithinMs: 10 * MINUTE, maxDurationMs: 8 * MINUTE })];
  const world = await new WatcherWorld({ jobs }).started();
  const { id } = await world.schedule();
  await world.clock.advance(5 * MINUTE);
  world.link.cut(["renew", "settle", "claim", "addNews"]);
  world.watcher.stop();
  const other = await new WatcherWorld({ jobs, before: world }).started();
  await other.clock.advance(5 * MINUTE - 1);
  assert.deepEqual(other.news(), []);
  // Its second attempt is young, but it was due ten minutes ago.
  await other.clock.advance(MINUTE);
  assert.deepEqual(other.news(), [`long:${id}: due 10m ago and not finished; expected within 10m`]);
  await other.clock.advance(HOUR);
  assert.equal(other.news().length, 1);
});

test("ExpectationWatcher.isShort() is true of a success that took too little", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { minDurationMs: MINUTE })],
  }).started();
  for (const tookMs of [MINUTE - 1, MINUTE]) {
    const { id } = await world.schedule();
    await world.clock.advance(tookMs);
    world.executor.last.ok();
    await world.clock.settle();
    const isShort = await world.of(world.watcher.isShort(await world.get(id)));
    assert.equal(isShort, tookMs < MINUTE);
  }
});

test("ExpectationWatcher looks at jobs with few instances first, and at a part of the others", async () => {
  const world = await new WatcherWorld({
    jobs: [
      expectingJob("many", { startWithinMs: MINUTE }),
      expectingJob("few", { startWithinMs: MINUTE }),
    ],
    workers: 0,
  }).started();
  const options = { after: 24 * HOUR };
  for (let batch = 0; batch < 2; batch++) {
    const requests = Array.from({ length: 600 }, () => ({ kind: "many", ...options }));
    await world.of(world.manager.scheduleJobs(requests));
  }
  await world.schedule("many");
  const { id } = await world.schedule("few");
  await world.clock.advance(MINUTE);
  // The late one of the others is behind the first thousand.
  assert.deepEqual(world.news().map((line) => line.slice(0, 41)), [`late:${id}`]);
});

test("ExpectationWatcher does nothing any more once it is stopped", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { startWithinMs: MINUTE, maxDurationMs: MINUTE })],
  }).started();
  await world.schedule();
  await world.schedule();
  world.watcher.stop();
  world.calls.clear();
  await world.clock.advance(HOUR);
  assert.deepEqual([...world.calls.keys()], []);
});

test("ExpectationWatcher counts what a started watcher did not see begin", async () => {
  const world = await new WatcherWorld({
    jobs: [expectingJob("work", { maxDurationMs: 5 * MINUTE })],
  }).started();
  world.watcher.stop();
  const { id } = await world.schedule();
  await world.clock.advance(MINUTE);
  world.watcher.start();
  await world.clock.advance(4 * MINUTE - 1);
  assert.deepEqual(world.news(), []);
  await world.clock.advance(1);
  assert.deepEqual(world.news().map((line) => line.slice(0, 41)), [`long:${id}`]);
});
