import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories, type Story } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf, scheduleOf } from "../../support/worlds/manager_world.ts";

const HOUR = 3_600_000;

function hourly(misfire: "latest" | "skip" | "all", misfireWithinMs = 48 * HOUR) {
  const spec = { cron: "0 * * * *", misfire, misfireWithinMs };
  return [jobOf("work", { schedules: [scheduleOf(spec)] })];
}

async function offForADay(world: StoryWorld): Promise<void> {
  await world.advance("61m");
  await world.kill();
  await world.advance("24h");
  await world.start();
}

/** Two days of a job at 02:30 in Berlin, on whose second one that time comes never or twice. */
function changedClock(way: "forward" | "back", startMs: number, span: string): Story {
  const spec = { cron: "30 2 * * *", timezone: "Europe/Berlin" };
  return {
    name: `the clock goes ${way} over the time of a job`,
    isLong: true,
    start: () => ({
      ...{ startMs, isAlone: true },
      jobs: [jobOf("work", { schedules: [scheduleOf(spec)] })],
    }),
    happens: (world) => world.advance(span),
    told: { ops: [] },
    stores: ["memory", "SQLite"],
  };
}

playStories([
  {
    name: "a host is off for a day, and its job runs once for the last tick",
    start: () => ({ jobs: hourly("latest"), isAlone: true }),
    happens: offForADay,
    told: { ops: [] },
  },
  {
    name: "a host is off for a day, and its job runs for none of the ticks",
    start: () => ({ jobs: hourly("skip"), isAlone: true }),
    happens: async (world) => {
      await offForADay(world);
      await world.advance("1h");
    },
    told: { ops: ["missed work", "recovered work"] },
  },
  {
    name: "a host is off for a day, and its job runs for all ticks",
    start: () => ({ jobs: hourly("all"), isAlone: true }),
    happens: async (world) => {
      await offForADay(world);
      await world.advance("1m");
    },
    told: { ops: ["late work", "recovered work"] },
  },
  {
    name: "a host is off for a day, and ticks are missed after an hour",
    start: () => ({ jobs: hourly("all", HOUR), isAlone: true }),
    happens: async (world) => {
      await offForADay(world);
      await world.advance("1m");
    },
    told: { ops: ["missed work", "recovered work"] },
  },
  {
    name: "a clock jumps ahead by a day, and back",
    isLong: true,
    start: () => ({ jobs: hourly("latest") }),
    happens: async (world) => {
      await world.advance("61m");
      world.clock.shiftWall(24 * HOUR);
      await world.advance("2m");
      world.clock.shiftWall(-24 * HOUR);
      await world.advance("2h");
    },
    told: { ops: [] },
  },
  {
    name: "a clock jumps back in the middle of an incident",
    happens: async (world) => {
      await world.run("work", "fail");
      world.clock.shiftWall(-2 * HOUR);
      await world.advance("1m");
      await world.run("work", "fail ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a clock jumps ahead in the middle of an incident with reminders and a digest",
    start: () => ({
      channels: [
        new RecordedChannel("ops", { repeatMs: 4 * HOUR }),
        new RecordedChannel("night", { digestMs: HOUR }),
      ],
    }),
    happens: async (world) => {
      await world.run("work", "fail");
      world.clock.shiftWall(5 * HOUR);
      await world.advance("2m");
      await world.run("work", "ok");
      await world.advance("1h");
    },
    told: {
      ops: ["failed work", "failed work again", "recovered work"],
      night: ["digest: failed work x1", "digest: recovered work x1"],
    },
  },
  changedClock("forward", Date.UTC(2026, 2, 28), "47h"),
  changedClock("back", Date.UTC(2026, 9, 24), "49h"),
  {
    name: "quiet hours end on the day on which the clock goes forward",
    start: () => ({
      channels: [new RecordedChannel("ops", { quiet: ["22:00-02:30"] })],
      startMs: Date.UTC(2026, 2, 28, 23, 0),
    }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.advance("4h");
    },
    told: { ops: ["digest: failed work x1"] },
  },
  {
    name: "a paused job misses its ticks",
    start: () => ({ jobs: hourly("latest"), isAlone: true }),
    happens: async (world) => {
      await world.advance("61m");
      await world.of(world.manager().pause("work", {}));
      await world.advance("5h");
      await world.of(world.manager().resume("work"));
      await world.advance("1h");
    },
    told: { ops: [] },
  },
  {
    name: "a job fails on its schedule for a day",
    isLong: true,
    start: () => ({ jobs: hourly("latest"), isAlone: true }),
    happens: async (world) => {
      world.next("work", Array.from({ length: 23 }, () => "fail").join(" "));
      await world.advance("25h");
    },
    told: { ops: ["failed work", "recovered work"] },
    stores: ["memory", "SQLite"],
  },
  {
    name: "a node dies while others live, and comes back",
    start: () => ({ channels: [new RecordedChannel("ops")] }),
    happens: async (world) => {
      await world.start("other");
      await world.kill("node");
      await world.advance("5m");
      await world.start("node");
      await world.advance("5m");
      await world.stop("node");
      await world.advance("5m");
    },
    told: { ops: ["node-lost node", "recovered node"] },
  },
]);
