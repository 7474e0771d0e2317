import assert from "node:assert/strict";
import { test } from "node:test";
import type { LiveUsage } from "../../src/core/instance.ts";
import type { Cgroup, CgroupUsage } from "../../src/platform/process/cgroup.ts";
import type { TrackedCommand } from "../../src/supervisor/inside/command_families.ts";
import { CommandUsages } from "../../src/supervisor/inside/command_usages.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

/** A command of which this process is one. */
const COMMAND: TrackedCommand = { marker: "a", leader: process.pid, cgroup: null };

/** Its looks find this process in all commands that they are asked for. */
function usageWorld() {
  const clock = new SimClock();
  const spent = { ms: 0 };
  const looks: (readonly TrackedCommand[])[] = [];
  const reports: ReadonlyMap<TrackedCommand, LiveUsage>[] = [];
  const usages = new CommandUsages({
    clock,
    spentMs: () => spent.ms,
    find: (commands) => {
      spent.ms += 5;
      looks.push([...commands]);
      return new Map([...commands].map((command) => [command, [process.pid]]));
    },
    report: (usage) => reports.push(usage),
  });
  return { clock, looks, reports, usages };
}

test("CommandUsages does not look at commands that end within a second", async () => {
  const { clock, looks, usages } = usageWorld();
  const exit = { maxRssBytes: 5, cpuMs: 1 };
  for (let count = 0; count < 5; count++) {
    usages.begin(COMMAND);
    await clock.advance(999);
    assert.deepEqual(usages.end(COMMAND, exit), exit);
  }
  await clock.advance(10_000);
  assert.deepEqual(looks, []);
  assert.equal(clock.nextTimerMs(), null);
});

test("CommandUsages returns what the control group of a command has counted", async () => {
  const { usages } = usageWorld();
  const ended = (usage: CgroupUsage, exit: Parameters<typeof usages.end>[1]) => {
    const command = { ...COMMAND, cgroup: { usage } as Cgroup };
    usages.begin(command);
    return usages.end(command, exit);
  };
  const exit = { maxRssBytes: 5, cpuMs: 3 };
  const both = ended({ cpuMs: 7.6, memoryBytes: 9 }, exit);
  assert.deepEqual(both, { maxRssBytes: 9, cpuMs: 8 });
  // It was moved into its group after a while.
  assert.deepEqual(ended({ cpuMs: 1, memoryBytes: null }, exit), exit);
  assert.deepEqual(ended({ cpuMs: null, memoryBytes: null }, exit), exit);
  const alone = ended({ cpuMs: 2, memoryBytes: null }, null);
  assert.deepEqual(alone, { maxRssBytes: null, cpuMs: 2 });
});

test("CommandUsages looks at a command that runs for a second, and not at younger ones", async () => {
  if (process.platform !== "linux") return;
  const { clock, looks, reports, usages } = usageWorld();
  const young = { marker: "b", leader: 1, cgroup: null };
  usages.begin(COMMAND);
  await clock.advance(500);
  usages.begin(young);
  await clock.advance(500);
  assert.deepEqual(looks, [[COMMAND]]);
  const { rssBytes, maxRssBytes, cpuMs, openFiles, processes } = reports[0]!.get(COMMAND)!;
  assert.ok(rssBytes > 10_000_000 && maxRssBytes === rssBytes, `${rssBytes} ${maxRssBytes}`);
  assert.ok(cpuMs! > 0 && openFiles! > 2, `${cpuMs} ${openFiles}`);
  assert.equal(processes, 1);
  await clock.advance(9_000);
  assert.equal(looks.length, 1, "a look took 5 ms");
  await clock.advance(1_000);
  assert.deepEqual(looks.slice(1), [[young, COMMAND]]);
});

test("CommandUsages looks at some of many commands at once, and at all of them in turn", async () => {
  const { clock, looks, usages } = usageWorld();
  const commands = Array.from({ length: 250 }, (_, index) => {
    return { marker: String(index), leader: index + 1, cgroup: null };
  });
  for (const command of commands) usages.begin(command);
  await clock.advance(1_000);
  assert.deepEqual(looks, [commands.slice(0, 100)]);
  await clock.advance(20_000);
  assert.deepEqual(looks.slice(1, 3), [commands.slice(100, 200), [
    ...commands.slice(200),
    ...commands.slice(0, 50),
  ]]);
  for (const command of commands.slice(1)) usages.end(command, null);
  await clock.advance(10_000);
  assert.deepEqual(looks.slice(3), [[commands[0]]]);
});

test("CommandUsages returns the larger of what it saw and what the kernel counted", async () => {
  if (process.platform !== "linux") return;
  const { clock, reports, usages } = usageWorld();
  const ended = async (exit: Parameters<typeof usages.end>[1]) => {
    usages.begin(COMMAND);
    await clock.advance(1_000);
    return usages.end(COMMAND, exit);
  };
  const seen = await ended(null);
  const { maxRssBytes, cpuMs } = reports[0]!.get(COMMAND)!;
  assert.deepEqual(seen, { maxRssBytes, cpuMs });
  const large = { maxRssBytes: 2 ** 40, cpuMs: 2 ** 40 };
  assert.deepEqual(await ended(large), large);
  const small = await ended({ maxRssBytes: null, cpuMs: 0 });
  assert.ok(small!.maxRssBytes! > 10_000_000 && small!.cpuMs! >= cpuMs!);
});

test("CommandUsages knows only what the kernel counted if it never found a process", async () => {
  const clock = new SimClock();
  const reports: ReadonlyMap<TrackedCommand, LiveUsage>[] = [];
  const usages = new CommandUsages({
    clock,
    spentMs: () => 0,
    find: (commands) => new Map([...commands].map((command) => [command, []])),
    report: (usage) => reports.push(usage),
  });
  usages.begin(COMMAND);
  await clock.advance(1_000);
  assert.deepEqual(reports.map(({ size }) => size), [0]);
  assert.equal(usages.end(COMMAND, null), null);
});

test("CommandUsages looks again after a look that failed", async () => {
  const clock = new SimClock();
  const reports: ReadonlyMap<TrackedCommand, LiveUsage>[] = [];
  let looks = 0;
  const usages = new CommandUsages({
    clock,
    spentMs: () => 0,
    find: (commands) => {
      looks += 1;
      if (looks === 1) throw new Error("EMFILE");
      return new Map([...commands].map((command) => [command, []]));
    },
    report: (usage) => reports.push(usage),
  });
  usages.begin(COMMAND);
  await clock.advance(2_000);
  assert.deepEqual([looks, reports.length], [2, 1]);
});
