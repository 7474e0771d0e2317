import { Manager } from "../../../src/index.ts";
import { startDaemon } from "../../../test/support/processes/daemon.ts";
import { EXACT_CLOCK_SOURCE, exactNow } from "../exact_clock.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";

const CALLS = 1_000;
/** Before the measured ones. */
const WARM_CALLS = 200;

const STAMP_MODULE = `${EXACT_CLOCK_SOURCE}
export default function stamp(): number {
  return exactNow();
}
`;

async function inline(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const manager = new Manager({ store: scratch.options, workers: settings.workers });
  let startedAt = 0;
  manager.registerJob({ kind: "stamp", run: () => void (startedAt = performance.now()) });
  await manager.start();
  try {
    return await delays(settings, async () => {
      const calledAt = performance.now();
      const instance = await manager.scheduleJob("stamp");
      await manager.wait(instance);
      return startedAt - calledAt;
    });
  } finally {
    await manager.stop();
    await scratch.clean();
  }
}

async function byGrpc(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({
    toml: 'server = { socket = "", auth = { mode = "none" } }\nworker = { count = 1, spare = 1 }\n',
    modules: { "stamp.ts": STAMP_MODULE },
    env: {
      ...scratch.env,
      JOBCTL_SERVER_SOCKET: undefined,
      JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined,
    },
  });
  const client = daemon.client();
  try {
    return await delays(settings, async () => {
      const calledAt = exactNow();
      const { instance } = await client.scheduleJob({ kind: "stamp" });
      const { instance: done } = await client.waitInstance({
        uuid: instance!.uuid,
        waitMs: 10_000n,
      });
      return Number(done!.results[0]) - calledAt;
    });
  } finally {
    await daemon.stop();
    await scratch.clean();
  }
}

/** Quantiles of what `once` measures, one call at a time. */
async function delays(settings: Settings, once: () => Promise<number>): Promise<Figures> {
  for (let call = 0; call < scaled(settings, WARM_CALLS, 5); call++) await once();
  const times: number[] = [];
  for (let call = 0; call < scaled(settings, CALLS, 20); call++) times.push(await once());
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** From the call that schedules to the start of the job's code, while nothing else happens. */
export const PICK_UP: readonly Scenario[] = [
  {
    name: "pick-up",
    about: "call to start of job code, idle, one at a time, inline",
    usesStore: true,
    figures: [
      { name: "p50", unit: "ms", better: "lower", target: { sqlite: 0.5 } },
      { name: "p99", unit: "ms", better: "lower", target: { sqlite: 1.5 } },
    ],
    run: inline,
  },
  {
    name: "pick-up-grpc",
    about: "the same by gRPC through a warm worker process of a daemon",
    usesStore: true,
    figures: [
      { name: "p50", unit: "ms", better: "lower", target: { sqlite: 1.5 } },
      { name: "p99", unit: "ms", better: "lower", target: { sqlite: 4 } },
    ],
    run: byGrpc,
  },
];
