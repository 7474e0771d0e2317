import assert from "node:assert/strict";
import test from "node:test";
import type { ServiceFacts } from "../../src/manager/service_facts.ts";
import { ServiceReports } from "../../src/daemon/service_reports.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../support/worlds/manager_world.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const WATCHDOG_MS = 20_000;
const MINUTE = 60_000;

/** Reports to a service manager that notes them. */
class ReportsWorld {
  readonly clock = new SimClock();
  readonly sent: Readonly<Record<string, string>>[] = [];
  readonly logged: string[] = [];
  readonly reports: ServiceReports;
  busy = 0;
  queued = 0;
  storeProblem: string | null = null;
  reloadProblem: string | null = null;
  listenerProblems: readonly string[] = [];

  constructor(watchdogMs: number | null = WATCHDOG_MS) {
    const log = (message: string) => void this.logged.push(message);
    this.reports = new ServiceReports({
      clock: this.clock,
      logger: { debug: log, info: log, warn: log, error: log },
      socket: { watchdogMs, send: (each) => void this.sent.push(each), sent: async () => {} },
    });
  }

  get facts(): ServiceFacts {
    return {
      workers: () => ({ busy: this.busy, count: 4 }),
      storeProblem: () => this.storeProblem,
      reloadProblem: () => this.reloadProblem,
      listenerProblems: () => this.listenerProblems,
      queued: async () => this.queued,
      isWorking: async () => true,
      drain: (keepsCommands) => ({ count: keepsCommands ? 0 : this.busy, limitMs: 10_000 }),
    };
  }

  async ready(): Promise<this> {
    this.reports.ready(this.facts);
    await this.clock.settle();
    return this;
  }

  get pulses(): number {
    return this.sent.filter((each) => each.WATCHDOG === "1").length;
  }

  get status(): string | undefined {
    return this.sent.findLast((each) => each.STATUS !== undefined)?.STATUS;
  }
}

test("ready() reports READY once and then the status when it changes", async () => {
  const world = await new ReportsWorld(null).ready();
  assert.deepEqual(world.sent, [
    { READY: "1", STATUS: "Ready" },
    { STATUS: "Running 0 of 4, 0 queued" },
  ]);
  await world.clock.advance(10 * MINUTE);
  assert.equal(world.sent.length, 2);
  Object.assign(world, { busy: 2, queued: 7, reloadProblem: "it was refused: x" });
  world.listenerProblems = ["Cannot listen on a:1"];
  await world.clock.advance(MINUTE);
  assert.equal(
    world.status,
    "Running 2 of 4, 7 queued, Cannot listen on a:1, the last reload: it was refused: x",
  );
});

test("a pulse comes at half of the watchdog's time as long as the scheduler works", async () => {
  const world = await new ReportsWorld().ready();
  assert.equal(world.pulses, 1);
  await world.clock.advance(WATCHDOG_MS / 2 - 1);
  assert.equal(world.pulses, 1);
  await world.clock.advance(1);
  assert.equal(world.pulses, 2);
});

test("no pulse comes while the scheduler is stuck, and the log says so once", async () => {
  const stuck = new ReportsWorld();
  stuck.reports.ready({
    ...stuck.facts,
    isWorking: (limitMs) =>
      new Promise((resolve) => void stuck.clock.timer(limitMs, () => resolve(false))),
  });
  await stuck.clock.advance(5 * MINUTE);
  assert.equal(stuck.pulses, 0);
  assert.deepEqual(stuck.logged, [
    "The scheduler does not get on: the watchdog is not told that all is well",
  ]);
  assert.match(stuck.status!, /the scheduler does not get on/);
});

test("reloading() reports the reload and then that the daemon is ready again", async () => {
  const world = await new ReportsWorld(null).ready();
  world.sent.length = 0;
  world.reports.reloading(true);
  world.reloadProblem = "it was refused";
  world.reports.reloading(false);
  await world.clock.settle();
  assert.deepEqual(world.sent, [
    { RELOADING: "1", STATUS: "Reloading the configuration" },
    { READY: "1", STATUS: "Ready" },
    { STATUS: "Running 0 of 4, 0 queued, the last reload: it was refused" },
  ]);
});

test("stopping() asks for more time and feeds the watchdog until the drain must have ended", async () => {
  const world = await new ReportsWorld().ready();
  world.sent.length = 0;
  world.busy = 2;
  world.reports.stopping({ isUpgrade: false, keepsCommands: false });
  assert.deepEqual(world.sent[0], { STOPPING: "1" });
  assert.equal(world.status, "Stopping: waiting up to 10s for 2 running jobs");
  const asked = () => world.sent.filter((each) => each.EXTEND_TIMEOUT_USEC !== undefined).length;
  await world.clock.advance(39_999);
  assert.equal(asked(), 8);
  assert.equal(world.pulses, 8);
  // 10 s of the drain and 30 s for what follows it.
  await world.clock.advance(5 * MINUTE);
  assert.equal(asked(), 8);
});

test("stopping() of an upgrade reports a reload, and does not count commands that run on", async () => {
  const world = await new ReportsWorld().ready();
  world.sent.length = 0;
  world.busy = 2;
  world.reports.stopping({ isUpgrade: true, keepsCommands: true });
  assert.deepEqual(world.sent[0], { RELOADING: "1" });
  assert.equal(world.status, "Stopping");
});

test("close() ends the reports", async () => {
  const world = await new ReportsWorld().ready();
  world.reports.stopping({ isUpgrade: false, keepsCommands: false });
  await world.reports.close();
  const { length } = world.sent;
  await world.clock.advance(5 * MINUTE);
  assert.equal(world.sent.length, length);
});

/** A manager with a schedule. @param nodeLeaseMs given for a store of its own */
async function scheduling(nodeLeaseMs?: number): Promise<ManagerWorld> {
  const jobs = [jobOf("work", { schedules: [scheduleOf()] })];
  const leased = nodeLeaseMs === undefined ? {} : { nodeLeaseMs };
  const world = await new ManagerWorld({ jobs, ...leased }).started();
  await world.clock.advance(1_000);
  return world;
}

async function isWorking(world: ManagerWorld): Promise<boolean | undefined> {
  let found: boolean | undefined;
  void world.manager.serviceFacts().isWorking(5_000).then((result) => found = result);
  await world.clock.settle();
  await world.clock.advance(10_000);
  return found;
}

test("isWorking() is true while the store responds, and while it refuses everything", async () => {
  const world = await scheduling(10 * MINUTE);
  assert.equal(await isWorking(world), true);
  world.link.cut(["dueSchedules", "nextDue", "advance"]);
  assert.equal(await isWorking(world), true);
});

test("isWorking() is false while a store of the process's own hangs", async () => {
  const world = await scheduling(10 * MINUTE);
  const release = world.link.hold("dueSchedules");
  assert.equal(await isWorking(world), false);
  release();
  assert.equal(await isWorking(world), true);
});

test("isWorking() is true while a shared store does not respond to anybody", async () => {
  const world = await scheduling();
  world.link.hold("dueSchedules");
  world.link.hold("nextDue");
  assert.equal(await isWorking(world), true);
});

test("isWorking() is false while only the scheduler waits for a shared store", async () => {
  const world = await scheduling();
  world.link.hold("dueSchedules");
  assert.equal(await isWorking(world), false);
});

test("drain() has the longest drain of what runs, with kill_after", async () => {
  const jobs = [jobOf("work"), jobOf("long", { options: { drainMs: 60_000 } })];
  const world = await new ManagerWorld({ jobs, workers: 2 }).started();
  const facts = world.manager.serviceFacts();
  assert.deepEqual(facts.drain(false), { count: 0, limitMs: 5_000 });
  await world.schedule("work");
  assert.deepEqual(facts.drain(false), { count: 1, limitMs: 6_000 });
  await world.schedule("long");
  assert.deepEqual(facts.drain(false), { count: 2, limitMs: 61_000 });
  assert.deepEqual(facts.workers(), { busy: 2, count: 2 });
  await world.schedule("work");
  assert.equal(await world.of(facts.queued()), 1);
});
