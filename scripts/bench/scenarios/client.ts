import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, JOBCTL } from "../../../test/support/processes/daemon.ts";
import {
  type Figures,
  type FigureSpec,
  scaled,
  type Scenario,
  type Settings,
} from "../scenario.ts";
import { quantile } from "../statistics.ts";
import { withDaemon } from "../with_daemon.ts";

const ROUNDS = 100;
const INSTANCES = 20;
const TARGET_MS = 35;
/** Unit of times in /proc. */
const TICK_MS = 10;

/** What is run, with an id in place of ID. The first two show where the time of the others goes. */
const LINES = {
  /** The runtime starts. */
  version: ["--version"],
  /** The command line is read, too. */
  help: ["status", "--help"],
  status: ["status"],
  list: ["list", "instances"],
  get: ["get", "instance", "ID"],
  logs: ["logs", "ID"],
  schedule: ["schedule", "noop"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const NAMES = Object.keys(LINES) as (keyof typeof LINES)[];
const CALLS: readonly string[] = NAMES.filter((name) => name !== "version" && name !== "help");

/** Processor time of the children of this process that have ended, in ms. */
function childrenCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

async function client(settings: Settings): Promise<Figures> {
  return await withDaemon(
    settings,
    '[jobs.noop]\ncommand = ["echo", "hello"]\n',
    measure(settings),
  );
}

const measure = (settings: Settings) => async (daemon: Daemon): Promise<Figures> => {
  const own = daemon.client();
  for (let count = 1; count < INSTANCES; count++) await own.scheduleJob({ kind: "noop" });
  const { instance } = await own.scheduleJob({ kind: "noop" });
  await own.waitInstance({ uuid: instance!.uuid, waitMs: 10_000n });
  const env = { ...process.env, JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock") };
  const costs = Object.fromEntries(
    NAMES.map((name) => [name, { wallMs: [] as number[], cpuMs: 0 }]),
  );
  const rounds = scaled(settings, ROUNDS, 2);
  // In turns, because the machine's speed changes.
  for (let round = 0; round < rounds; round++) {
    for (const name of NAMES) {
      const args = LINES[name].map((word) => word === "ID" ? instance!.uuid : word);
      const beforeMs = childrenCpuMs();
      const begunAt = performance.now();
      const { status, stderr } = spawnSync(JOBCTL, args, {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const cost = costs[name]!;
      cost.wallMs.push(performance.now() - begunAt);
      cost.cpuMs += childrenCpuMs() - beforeMs;
      if (status !== 0) throw new Error(`jobctl ${args.join(" ")}: ${stderr}`);
    }
  }
  return Object.fromEntries(NAMES.flatMap((name) => {
    const { wallMs, cpuMs } = costs[name]!;
    return [
      [name, quantile(wallMs, 0.5)],
      [`${name}-p99`, quantile(wallMs, 0.99)],
      [`${name}-cpu`, cpuMs / rounds],
    ];
  }));
};

function figuresOf(name: keyof typeof LINES): FigureSpec[] {
  const target = CALLS.includes(name) ? { target: { any: TARGET_MS } } : {};
  return [
    { name, unit: "ms", better: "lower", ...target },
    { name: `${name}-p99`, unit: "ms", better: "lower" },
    { name: `${name}-cpu`, unit: "ms", better: "lower" },
  ];
}

/** The compiled file as a client. */
export const CLIENT: Scenario = {
  name: "client",
  about: "the compiled file: verbs against a daemon on this machine from start to exit, in turns",
  usesStore: false,
  figures: NAMES.flatMap(figuresOf),
  run: client,
};
