import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import { jobOf, scheduleOf } from "../../support/worlds/manager_world.ts";
import { expectingJob } from "../expectations/watcher_world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAILY = {
  options: { keepSuccessMs: 100 * HOUR },
  schedules: [scheduleOf({ cron: "0 2 * * *" })],
};

/** Long ones take minutes on a server of its own. */
const LOCAL = ["memory", "SQLite"] as const;

/** A channel that is not told that all workers are busy. */
const jobsOnly = () => new RecordedChannel("ops", { on: ["late", "failed", "recovered"] });

const hungFor = (maxDurationMs: number) => () => ({
  jobs: [expectingJob("work", { maxDurationMs })],
});

playStories([
  {
    name: "a job hangs, and ends an hour later",
    start: hungFor(10 * MINUTE),
    happens: async (world) => {
      await world.run("work", "hang");
      await world.advance("1h");
      world.hanging.get("work")!.ok();
      await world.advance("1m");
      await world.run("work", "ok ok");
    },
    told: { ops: ["long work", "recovered work"] },
  },
  {
    name: "a job hangs and then fails",
    start: hungFor(10 * MINUTE),
    happens: async (world) => {
      await world.run("work", "hang");
      await world.advance("11m");
      world.hanging.get("work")!.fail();
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { ops: ["long work", "failed work", "recovered work"] },
  },
  {
    name: "a hung job is killed with its daemon, and hangs again",
    start: hungFor(10 * MINUTE),
    happens: async (world) => {
      await world.run("work", "hang");
      await world.advance("11m");
      await world.kill();
      world.next("work", "hang");
      await world.start();
      await world.advance("15m");
      world.hanging.get("work")!.ok();
    },
    told: { ops: ["long work", "recovered work"] },
  },
  {
    name: "a run waits because the only worker is busy",
    start: () => ({
      jobs: [expectingJob("work", { startWithinMs: 5 * MINUTE }), jobOf("other")],
      ...{ workers: 1, channels: [jobsOnly()] },
    }),
    happens: async (world) => {
      await world.run("other", "hang");
      await world.run("work", "ok");
      await world.advance("10m");
      world.hanging.get("other")!.ok();
    },
    told: { ops: ["late work", "recovered work"] },
  },
  {
    name: "a run of a schedule waits for longer than ten minutes, without any setting",
    isLong: true,
    start: () => ({
      jobs: [expectingJob("tick", { startWithinMs: undefined }, DAILY), jobOf("other")],
      ...{ workers: 1, channels: [jobsOnly()] },
    }),
    happens: async (world) => {
      await world.advance("1h");
      await world.run("other", "hang");
      await world.advance("75m");
      world.hanging.get("other")!.ok();
    },
    told: { ops: ["late tick", "recovered tick"] },
  },
  {
    name: "the host is off during the run of a schedule",
    isLong: true,
    start: () => ({
      jobs: [expectingJob("tick", { startWithinMs: undefined }, DAILY)],
      isAlone: true,
    }),
    happens: async (world) => {
      await world.stop();
      await world.advance("9h");
      await world.start();
      await world.advance("1m");
      await world.advance("24h");
    },
    told: { ops: ["late tick", "recovered tick"] },
    stores: LOCAL,
  },
  {
    name: "a success takes too little, and the next one does not",
    start: () => ({ jobs: [expectingJob("work", { minDurationMs: MINUTE })] }),
    happens: async (world) => {
      await world.run("work", "ok ok");
      await world.run("work", "hang");
      await world.advance("2m");
      world.hanging.get("work")!.ok();
    },
    told: { ops: ["short work", "recovered work"] },
  },
  {
    name: "a job does not succeed for a day, also over a restart",
    isLong: true,
    start: () => ({
      jobs: [expectingJob("work", { everyMs: 24 * HOUR }, { options: DAILY.options })],
      isAlone: true,
    }),
    happens: async (world) => {
      await world.run("work", "ok");
      await world.advance("12h");
      await world.restart();
      await world.advance("13h");
      await world.restart();
      await world.advance("5h");
      await world.run("work", "ok");
      await world.advance("23h");
    },
    told: { ops: ["missed work", "recovered work"] },
    stores: LOCAL,
  },
  {
    name: "a paused job is neither late nor missed",
    isLong: true,
    start: () => ({
      jobs: [
        expectingJob("work", { startWithinMs: MINUTE, everyMs: 24 * HOUR }, {
          options: DAILY.options,
        }),
      ],
      isAlone: true,
    }),
    happens: async (world) => {
      await world.run("work", "ok");
      await world.of(world.manager().pause("work"));
      await world.submit("work");
      await world.advance("50h");
      await world.of(world.manager().resume("work"));
      await world.advance("1h");
    },
    told: { ops: [] },
    stores: LOCAL,
  },
  {
    name: "the clock is set while a job runs",
    start: hungFor(10 * MINUTE),
    happens: async (world) => {
      await world.run("work", "hang");
      world.clock.shiftWall(5 * HOUR);
      await world.advance("9m");
      world.hanging.get("work")!.ok();
    },
    told: { ops: [] },
  },
  {
    name: "two nodes notice the same late run",
    start: () => ({
      jobs: [expectingJob("work", { startWithinMs: 5 * MINUTE }), jobOf("other")],
      ...{ workers: 1, channels: [jobsOnly()] },
    }),
    happens: async (world) => {
      await world.start("second");
      await world.submitAt("node", "other", "hang");
      await world.submitAt("second", "other", "hang");
      await world.run("work", "ok");
      await world.advance("10m");
      await world.advance("10m");
    },
    told: { ops: ["late work"] },
    stores: ["Valkey", "etcd's replica"],
  },
]);
