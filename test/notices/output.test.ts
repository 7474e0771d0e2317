import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

test("a channel is told once of each run that wrote output, whether or not it failed", async () => {
  const channel = new RecordedChannel("cron", { on: ["output"] });
  const world = new ManagerWorld({ jobs: [jobOf("work")], channels: [channel] });
  await world.of(world.manager.start());
  for (const outcome of ["ok", "fail"] as const) {
    for (const lines of [[], [`${outcome} a`, `${outcome} b`]]) {
      await world.of(world.manager.scheduleJob("work"));
      world.executor.last.print(...lines);
      world.executor.last[outcome]();
      await world.clock.advance(1_000);
    }
  }
  await world.of(world.manager.scheduleJob("work"));
  world.executor.last.log("its own log is no output");
  world.executor.last.ok();
  await world.clock.advance(1_000);
  assert.deepEqual(channel.told, ["output work", "output work"]);
  assert.deepEqual(channel.delivered.map(({ output }) => output), [["ok a", "ok b"], [
    "fail a",
    "fail b",
  ]]);
  assert.equal(channel.delivered[0]!.title, "work wrote output");
});

test("a channel is told of the output of the last attempt only", async () => {
  const channel = new RecordedChannel("cron", { on: ["output"] });
  const retry = { max: 1, initialMs: 1_000, capMs: 1_000, jitter: 0, notOn: [] };
  const options = { retry: { ...retry, backoff: "fixed", on: ["error"] } } as const;
  const world = new ManagerWorld({ jobs: [jobOf("work", { options })], channels: [channel] });
  await world.of(world.manager.start());
  await world.of(world.manager.scheduleJob("work"));
  world.executor.last.print("first");
  world.executor.last.fail();
  await world.clock.advance(1_500);
  world.executor.last.print("second");
  world.executor.last.ok();
  await world.of(world.manager.scheduleJob("work"));
  world.executor.last.print("third");
  world.executor.last.fail();
  await world.clock.advance(1_500);
  world.executor.last.ok();
  await world.clock.advance(1_000);
  assert.equal(world.executor.attempts.length, 4);
  assert.deepEqual(channel.delivered.map(({ output }) => output), [["second"]]);
});

test("output is reported only for jobs that a channel with this event is told of", async () => {
  const channels = [
    new RecordedChannel("cron", { on: ["output"], jobs: ["backup"] }),
    new RecordedChannel("ops"),
  ];
  const jobs = [
    jobOf("backup"),
    jobOf("named", { options: { notify: ["cron"] } }),
    jobOf("other"),
    jobOf("silent", { options: { notify: ["ops"] } }),
    jobOf("unheard", { options: { notify: [] } }),
  ];
  const world = new ManagerWorld({ jobs, channels });
  await world.of(world.manager.start());
  for (const { kind } of jobs) {
    await world.of(world.manager.scheduleJob(kind));
    world.executor.last.print(kind);
    world.executor.last.ok();
    await world.clock.advance(1_000);
  }
  assert.deepEqual(channels[0]!.told, ["output backup", "output named"]);
  assert.deepEqual(channels[1]!.told, []);
  const memos = await world.store.listMemos({ prefix: "job:", after: null, limit: 10 });
  assert.deepEqual(memos.map(({ key }) => key), ["job:backup", "job:named"]);
});

test('"*" in notify stands for the channels whose jobs match', async () => {
  const cron = new RecordedChannel("cron", { on: ["output"], jobs: [] });
  const ops = new RecordedChannel("ops");
  const others = new RecordedChannel("others", { jobs: ["other"] });
  const jobs = [
    jobOf("both", { options: { notify: ["*", "cron"] } }),
    jobOf("only", { options: { notify: ["cron"] } }),
    jobOf("none"),
  ];
  const world = new ManagerWorld({ jobs, channels: [cron, ops, others] });
  await world.of(world.manager.start());
  for (const { kind } of jobs) {
    await world.of(world.manager.scheduleJob(kind));
    world.executor.last.print(kind);
    world.executor.last.fail();
    await world.clock.advance(1_000);
  }
  assert.deepEqual(cron.told, ["output both", "output only"]);
  assert.deepEqual(ops.told, ["failed both", "failed none"]);
  assert.deepEqual(others.told, []);
});
