import { Manager, type StoreOptions } from "../../../src/index.ts";
import { type Daemon, startDaemon } from "../../../test/support/processes/daemon.ts";
import { startEtcd } from "../../../test/support/servers/etcd_server.ts";
import { startValkey } from "../../../test/support/servers/valkey_server.ts";
import { cpuBetween, processCost } from "../machine.ts";
import { requireServers } from "../require_servers.ts";
import {
  type Figures,
  type FigureSpec,
  scaled,
  type Scenario,
  type Settings,
} from "../scenario.ts";
import { storeOptions, VALKEY_CONFIG } from "../scratch_store.ts";
import { wait } from "../wait.ts";

/** How many daemons share the server, one measurement each. */
const COUNTS = [1, 2, 4] as const;
const JOBS = 20_000;
const BATCH = 1_000;
const POLL_MS = 10;
const DONE_MS_MAX = 120_000;
const PREFIX = "bench";

const TOML = '[worker]\nisolation = "inline"\n';
const MODULE = "export default function noop(n?: number): void { void n; }\n";

/** A server for one measurement, without data. */
interface Server {
  readonly url: string;
  readonly process: { readonly pid: number };
  close(): Promise<void>;
}

/** One process that only enqueues, on the store that the daemons share. */
interface Feeder {
  /**
   * Enqueue jobs in batches; resolves when the daemons have completed all that were ever enqueued.
   */
  feed(jobs: number): Promise<void>;
  stop(): Promise<void>;
}

async function startFeeder(store: StoreOptions): Promise<Feeder> {
  const manager = new Manager({ store, workers: 1 });
  manager.registerJob({ kind: "noop", params: "n?: number", run: () => {} });
  await manager.start();
  await manager.resizeWorkers(0);
  let total = 0;
  return {
    async feed(jobs) {
      total += jobs;
      for (let left = jobs; left > 0; left -= BATCH) {
        const size = Math.min(BATCH, left);
        await manager.scheduleJobs(Array.from({ length: size }, () => ({ kind: "noop" })));
      }
      const lateAt = performance.now() + DONE_MS_MAX;
      while (await manager.count({ kinds: ["noop"], states: ["completed"] }) < total) {
        if (performance.now() > lateAt) throw new Error(`${jobs} jobs take over ${DONE_MS_MAX} ms`);
        await wait(POLL_MS);
      }
    },
    stop: () => manager.stop(),
  };
}

function startNode({ url }: Server, id: string, { workers }: Settings): Promise<Daemon> {
  return startDaemon({
    toml: TOML,
    modules: { "noop.ts": MODULE },
    env: {
      JOBCTL_STORE_URL: url,
      JOBCTL_STORE_PREFIX: PREFIX,
      JOBCTL_NODE_ID: id,
      JOBCTL_WORKER_COUNT: String(workers),
      JOBCTL_SERVER_HTTP: "",
    },
  });
}

/** Rate, memory and processor time of so many daemons, after a run that is not measured. */
async function measure(server: Server, count: number, settings: Settings): Promise<Figures> {
  const jobs = scaled(settings, JOBS, 200);
  const daemons: Daemon[] = [];
  const feeder = await startFeeder(storeOptions(server.url, PREFIX));
  try {
    while (daemons.length < count) {
      daemons.push(await startNode(server, `node-${daemons.length}`, settings));
    }
    await feeder.feed(jobs);
    const pids = [server.process.pid, ...daemons.map(({ pid }) => pid)];
    const before = pids.map(processCost);
    const begunAt = performance.now();
    await feeder.feed(jobs);
    const seconds = (performance.now() - begunAt) / 1_000;
    const after = pids.map(processCost);
    const [serverCpu, ...cpu] = after.map((cost, at) => cpuBetween(before[at]!, cost) / 1_000);
    const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b) / count;
    return {
      [`rate-${count}`]: jobs / seconds,
      [`memory-${count}`]: meanOf(after.slice(1).map(({ rssMb }) => rssMb)),
      [`cpu-${count}`]: meanOf(cpu),
      [`server-${count}`]: serverCpu!,
    };
  } finally {
    for (const daemon of daemons) await daemon.stop();
    await feeder.stop();
  }
}

async function run(start: () => Promise<Server>, settings: Settings): Promise<Figures> {
  requireServers();
  const figures: Figures[] = [];
  for (const count of COUNTS) {
    const server = await start();
    try {
      figures.push(await measure(server, count, settings));
    } finally {
      await server.close();
    }
  }
  return Object.assign({}, ...figures);
}

function scenario(kind: string, start: () => Promise<Server>): Scenario {
  const figures = COUNTS.flatMap((count): readonly FigureSpec[] => [
    { name: `rate-${count}`, unit: "jobs/s", better: "higher" },
    { name: `memory-${count}`, unit: "MB", better: "lower" },
    { name: `cpu-${count}`, unit: "s", better: "lower" },
    { name: `server-${count}`, unit: "s", better: "lower" },
  ]);
  return {
    name: `daemons-${kind}`,
    group: "daemons",
    about: `1, 2 and 4 compiled daemons on ${kind}: rate, memory, processor time`,
    usesStore: false,
    figures,
    run: (settings) => run(start, settings),
  };
}

/** Several daemons on one server, beside one process that enqueues 20,000 jobs that do nothing. */
export const DAEMONS: readonly Scenario[] = [
  scenario("valkey", () => startValkey({ appendonly: true, config: VALKEY_CONFIG })),
  scenario("etcd", async () => {
    const etcd = await startEtcd();
    return { url: etcd.url, process: etcd.members[0]!.process, close: () => etcd.close() };
  }),
];
