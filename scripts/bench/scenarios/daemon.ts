import { type Daemon, startDaemon } from "../../../test/support/processes/daemon.ts";
import { cpuBetween, processCost } from "../machine.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";
import { withDaemon } from "../with_daemon.ts";
import { REST_MS, wait } from "../wait.ts";

const SCHEDULES = 10_000;
const MINUTE_MS = 60_000;
/** A whole minute: some work is done once in each. */
const IDLE_MS = MINUTE_MS;

/** A config of `count` jobs with a schedule that is never due during a measurement. */
function scheduledJobs(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const [minute, hour] = [index % 60, Math.floor(index / 60) % 24];
    return `[jobs.job-${index}]\ncommand = ["true"]\nschedule = "${minute} ${hour} 29 2 *"\n`;
  }).join("");
}

async function startUp(settings: Settings): Promise<Figures> {
  const times: number[] = [];
  for (let count = 0; count < scaled(settings, 10, 1); count++) {
    times.push(await withDaemon(settings, "", async (_daemon, startMs) => startMs));
  }
  return { ready: quantile(times, 0.5) };
}

/** Memory and processor time a minute of a daemon that has had time to settle. */
async function idleCost(settings: Settings, daemon: Daemon) {
  await wait(scaled(settings, REST_MS, 100));
  const before = processCost(daemon.pid);
  const idleMs = scaled(settings, IDLE_MS, 200);
  await wait(idleMs);
  const after = processCost(daemon.pid);
  return {
    memory: after.rssMb,
    cpu: cpuBetween(before, after) * (MINUTE_MS / idleMs),
  };
}

function idle(settings: Settings): Promise<Figures> {
  return withDaemon(settings, "", (daemon) => idleCost(settings, daemon));
}

async function schedules(settings: Settings): Promise<Figures> {
  const empty = await withDaemon(settings, "", (daemon) => idleCost(settings, daemon));
  const scratch = await scratchStore(settings.store);
  const { env } = scratch;
  const toml = "modules = []\n" + scheduledJobs(scaled(settings, SCHEDULES, 100));
  try {
    const begunAt = performance.now();
    const first = await startDaemon({ toml, env });
    const firstMs = performance.now() - begunAt;
    await first.terminate();
    const againAt = performance.now();
    const daemon = await first.restart();
    const againMs = performance.now() - againAt;
    try {
      const { memory, cpu } = await idleCost(settings, daemon);
      return { first: firstMs, again: againMs, memory: memory - empty.memory, cpu };
    } finally {
      await daemon.stop();
    }
  } finally {
    await scratch.clean();
  }
}

/** The compiled file: its start, and what it takes while nothing happens. */
export const DAEMON: readonly Scenario[] = [
  {
    name: "start-up",
    about: "compiled daemon: spawned to listening",
    usesStore: true,
    figures: [{ name: "ready", unit: "ms", better: "lower", target: { sqlite: 150 } }],
    run: startUp,
  },
  {
    name: "idle",
    about: "compiled daemon: memory, and processor time a minute",
    usesStore: true,
    figures: [
      { name: "memory", unit: "MB", better: "lower", target: { sqlite: 56 } },
      { name: "cpu", unit: "ms/min", better: "lower", target: { sqlite: 12 } },
    ],
    run: idle,
  },
  {
    name: "daemon-10000",
    about:
      "compiled daemon with 10,000 jobs with a schedule: listening, memory more, processor time",
    usesStore: true,
    figures: [
      { name: "first", unit: "ms", better: "lower", target: { sqlite: 500 } },
      { name: "again", unit: "ms", better: "lower", target: { sqlite: 500 } },
      { name: "memory", unit: "MB more", better: "lower", target: { sqlite: 35 } },
      { name: "cpu", unit: "ms/min", better: "lower", target: { sqlite: 100 } },
    ],
    run: schedules,
  },
];
