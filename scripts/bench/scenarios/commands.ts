import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import {
  type Daemon,
  type DaemonOptions,
  startDaemon,
} from "../../../test/support/processes/daemon.ts";
import { EXACT_CLOCK_SOURCE, exactNow } from "../exact_clock.ts";
import { cpuBetween, processCost } from "../machine.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { buildStaticClock } from "../static_clock.ts";
import { quantile, rateOf } from "../statistics.ts";
import { REST_MS, wait } from "../wait.ts";

/** Commands at once, in the daemon and by `xargs -P`. */
const WORKERS = 4;
/** Commands of one turn: many, so that the request and the start of xargs do not count. */
const BATCH = 1_000;
const TURNS = 7;
const CALLS = 500;
const SLEEPERS = 1_000;
/** Longest time for all calls of the job that schedules commands. */
const PROBE_MS_MAX = 300_000n;
/** How long the cost of sleeping commands is measured. */
const SLEEP_MS = 20_000;

/** Writes when it began, in seconds since the epoch. */
const CLOCK = ["/bin/date", "+%s.%N"] as const;

/** A command that an inline job has scheduled, with times of {@link exactNow} in the daemon. */
interface ProbedCommand {
  readonly id: string;
  /** When the manager has the request, before the transaction that makes it durable. */
  readonly acceptedAt: number;
  /** When the manager reports its outcome, after the commit. */
  readonly committedAt: number;
}

/** A job that runs in the manager's thread and schedules commands, one at a time. */
const PROBE = `import type { Manager } from "ts-job";
${EXACT_CLOCK_SOURCE}
export default async function probe(manager: Manager, kind: string, calls: number) {
  const probed = [];
  for (let call = 0; call < calls; call++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    // Each greater than the last, as those of requests from outside.
    const time = Date.now().toString(16).padStart(12, "0");
    const random = crypto.randomUUID().slice(-12);
    const id = time.slice(0, 8) + "-" + time.slice(8) + "-7000-8000-" + random;
    const acceptedAt = exactNow();
    await manager.scheduleJob(kind, { id });
    await manager.waitInstance(id);
    probed.push({ id, acceptedAt, committedAt: exactNow() });
  }
  return probed;
}
`;

const CONFIG = `[worker]
count = ${WORKERS}
[jobs.true]
command = ["/bin/true"]
[jobs.clock]
command = ${JSON.stringify(CLOCK)}
[jobs.sleep]
command = ["/bin/sleep", "3600"]
worker_slot = false
`;

/** @param beginClock a command that writes when its process began */
const probeConfigOf = (beginClock: readonly string[]) =>
  `modules = ["jobs"]
${CONFIG}
[jobs.begin]
command = ${JSON.stringify(beginClock)}
[jobs.probe]
isolation = "inline"
`;

// Two daemons: one with a module also has the parser of its types in memory, which the sleepers
// would be charged with.
async function measure(settings: Settings): Promise<Figures> {
  const probed = await measureIn(settings, async (daemon) => {
    // Each has run as many commands before.
    for (let turn = 0; turn < scaled(settings, TURNS, 1); turn++) {
      await runBatch(daemon, scaled(settings, BATCH, 20));
    }
    return await managerLatencies(daemon, settings);
  }, (dir) => {
    const beginClock = buildStaticClock(dir);
    const toml = probeConfigOf(beginClock === null ? CLOCK : [beginClock]);
    return { toml, modules: { "probe.ts": PROBE } };
  });
  const others = await measureIn(settings, async (daemon) => ({
    ...await rates(daemon, settings),
    ...await callLatencies(daemon, settings),
    ...await crowd(daemon, settings),
  }), () => ({ toml: CONFIG }));
  return { ...probed, ...others };
}

async function measureIn(
  settings: Settings,
  take: (daemon: Daemon) => Promise<Figures>,
  optionsIn: (dir: string) => DaemonOptions,
): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({ ...optionsIn(scratch.dir), env: scratch.env });
  try {
    await runBatch(daemon, scaled(settings, BATCH, 20));
    return await take(daemon);
  } finally {
    await daemon.stop({ force: true });
    await scratch.clean();
  }
}

/** Commands a second through the daemon and through xargs, in turns. */
async function rates(daemon: Daemon, settings: Settings): Promise<Figures> {
  const size = scaled(settings, BATCH, 20);
  const [ours, theirs]: [number[], number[]] = [[], []];
  let cpuMs = 0;
  for (let turn = 0; turn < scaled(settings, TURNS, 1); turn++) {
    const cost = costOf(daemon);
    ours.push(await rateOf(size, () => runBatch(daemon, size)));
    cpuMs += cost();
    theirs.push(await rateOf(size, () => runByXargs(size)));
  }
  const [rate, xargs] = [quantile(ours, 0.5), quantile(theirs, 0.5)];
  return { rate, xargs, ratio: rate / xargs, "cpu-each": cpuMs / (ours.length * size) };
}

/** @returns a function that gives the processor time of the daemon and its helpers since, in ms */
function costOf(daemon: Daemon): () => number {
  const pids = [daemon.pid, ...helpersOf(daemon.pid)];
  const before = pids.map(processCost);
  return () => sum(pids.map((pid, index) => cpuBetween(before[index]!, processCost(pid))));
}

async function runBatch(daemon: Daemon, size: number): Promise<void> {
  const client = daemon.client();
  const requests = Array.from({ length: size }, () => ({ kind: "true" }));
  const { instances } = await client.scheduleJobs({ requests });
  // They begin in this order, so that none of the others ends after all of these.
  const last = instances.slice(-WORKERS);
  await Promise.all(last.map(({ uuid }) => client.waitInstance({ uuid, waitMs: 60_000n })));
}

async function runByXargs(size: number): Promise<void> {
  const xargs = spawn("xargs", ["-n", "1", "-P", String(WORKERS), "/bin/true"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  xargs.stdin.end(Array.from({ length: size }, (_, index) => `${index}\n`).join(""));
  await once(xargs, "exit");
}

/**
 * From the call that schedules a command to its first instruction, and to its outcome. Beside that,
 * what both contain and no daemon can save: a call that only reads, and the start of the program.
 */
async function callLatencies(daemon: Daemon, settings: Settings): Promise<Figures> {
  const client = daemon.client();
  const [begun, ended, read, started]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let call = 0; call < scaled(settings, CALLS, 10); call++) {
    await wait(2);
    const calledAt = exactNow();
    const { instance } = await client.scheduleJob({ kind: "clock" });
    const { uuid } = instance!;
    await client.waitInstance({ uuid, waitMs: 10_000n });
    ended.push(exactNow() - calledAt);
    const { entries } = await client.lookupInstanceLogs({ query: { uuid } });
    begun.push(Number(entries[0]!.message) * 1_000 - calledAt);
    await wait(2);
    const askedAt = exactNow();
    await client.waitInstance({ uuid, waitMs: 10_000n });
    read.push(exactNow() - askedAt);
    const spawnedAt = exactNow();
    const { stdout } = spawnSync(CLOCK[0], CLOCK.slice(1), { encoding: "utf8" });
    started.push(Number(stdout) * 1_000 - spawnedAt);
  }
  return {
    ...quantiles("call-begun", begun),
    ...quantiles("call-ended", ended),
    "read-p50": quantile(read, 0.5),
    "spawn-p50": quantile(started, 0.5),
  };
}

/**
 * From the moment that the manager has the request to the moment that the process exists, and that
 * the store has the outcome: without the way to the daemon and back.
 *
 * The clock is read in the manager's own thread, by an inline job that schedules the commands.
 */
async function managerLatencies(daemon: Daemon, settings: Settings): Promise<Figures> {
  const calls = scaled(settings, CALLS, 10);
  const run = async (kind: string) => {
    const client = daemon.client();
    const request = { kind: "probe", arguments: [kind, String(calls)] };
    const { instance } = await client.scheduleJob(request);
    const { uuid } = instance!;
    const { instance: done } = await client.waitInstance({ uuid, waitMs: PROBE_MS_MAX });
    return JSON.parse(done!.results[0]!) as readonly ProbedCommand[];
  };
  const begun: number[] = [];
  for (const { id, acceptedAt } of await run("begin")) {
    const { entries } = await daemon.client().lookupInstanceLogs({ query: { uuid: id } });
    begun.push(Number(entries[0]!.message) * 1_000 - acceptedAt);
  }
  const ended = (await run("clock")).map(({ acceptedAt, committedAt }) => committedAt - acceptedAt);
  return { ...quantiles("begun", begun), ...quantiles("ended", ended) };
}

function quantiles(name: string, values: readonly number[]): Figures {
  return { [`${name}-p50`]: quantile(values, 0.5), [`${name}-p99`]: quantile(values, 0.99) };
}

/** Memory and processor time of the daemon and its helpers while many commands sleep for long. */
async function crowd(daemon: Daemon, settings: Settings): Promise<Figures> {
  const count = scaled(settings, SLEEPERS, 10);
  const client = daemon.client();
  await client.scheduleJobs({ requests: Array.from({ length: count }, () => ({ kind: "sleep" })) });
  while (processes().filter(({ name }) => name === "sleep").length < count) await wait(50);
  await wait(scaled(settings, REST_MS, 200));
  const sleepMs = scaled(settings, SLEEP_MS, 200);
  const pids = [daemon.pid, ...helpersOf(daemon.pid)];
  const cost = costOf(daemon);
  await wait(sleepMs);
  return { "sleepers-mb": sum(pids.map(sharedMb)), "sleepers-cpu": cost() / sleepMs * 100 };
}

/** The processes of our file that a daemon has started. */
function helpersOf(daemon: number): readonly number[] {
  return processes().filter(({ parent, name }) => parent === daemon && name !== "sleep")
    .map(({ pid }) => pid);
}

function processes(): readonly { pid: number; parent: number; name: string }[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const [, name, parent] = /\((.*)\) \S (\d+)/.exec(stat)!;
      return [{ pid: Number(pid), parent: Number(parent), name: name! }];
    } catch {
      return [];
    }
  });
}

/** Memory of a process, with its share of what others use too. */
function sharedMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)![1]) / 1_024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Commands of the compiled file beside xargs, which does nothing but start them. */
export const COMMANDS: readonly Scenario[] = [{
  name: "commands",
  about: "/bin/true by 4 workers in turns with xargs -P4; one at a time; 1,000 that sleep at once",
  usesStore: true,
  figures: [
    { name: "rate", unit: "commands/s", better: "higher" },
    { name: "xargs", unit: "commands/s", better: "higher" },
    { name: "ratio", unit: "", better: "higher", target: { sqlite: 0.6 } },
    { name: "cpu-each", unit: "ms", better: "lower" },
    { name: "begun-p50", unit: "ms", better: "lower", target: { sqlite: 1.5 } },
    { name: "begun-p99", unit: "ms", better: "lower", target: { sqlite: 4 } },
    { name: "ended-p50", unit: "ms", better: "lower", target: { sqlite: 3 } },
    { name: "ended-p99", unit: "ms", better: "lower", target: { sqlite: 8 } },
    { name: "call-begun-p50", unit: "ms", better: "lower" },
    { name: "call-begun-p99", unit: "ms", better: "lower" },
    { name: "call-ended-p50", unit: "ms", better: "lower" },
    { name: "call-ended-p99", unit: "ms", better: "lower" },
    { name: "read-p50", unit: "ms", better: "lower" },
    { name: "spawn-p50", unit: "ms", better: "lower" },
    { name: "sleepers-mb", unit: "MB", better: "lower", target: { any: 120 } },
    { name: "sleepers-cpu", unit: "%", better: "lower", target: { any: 0.5 } },
  ],
  run: measure,
}];
