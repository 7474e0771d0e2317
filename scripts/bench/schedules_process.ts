/**
 * A process with `--count` schedules of the library on `--store`; prints one line of JSON: how long
 * it took to be ready with new ones and again with those, the memory, and the processor time of an
 * idle minute.
 */
import { parseArgs } from "node:util";
import { Manager } from "../../src/index.ts";
import { cpuBetween, processCost } from "./machine.ts";
import { storeOptions } from "./scratch_store.ts";
import { wait } from "./wait.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "memory:" },
    prefix: { type: "string", default: "bench" },
    count: { type: "string", default: "0" },
    settle: { type: "string", default: "10000" },
    idle: { type: "string", default: "20000" },
  },
});
const count = Number(values.count);
const idleMs = Number(values.idle);

/** Jobs with a schedule that is not due before next year. */
async function start(): Promise<Manager> {
  const manager = new Manager({ store: storeOptions(values.store, values.prefix), workers: 16 });
  const job = manager.registerJob({ kind: "noop", run: () => {} });
  const base = { everyMs: null, timezone: "UTC", overlap: "skip", misfire: "latest" } as const;
  for (let index = 0; index < count; index++) {
    const cron = `${index % 60} ${Math.floor(index / 60) % 24} 29 2 *`;
    const spec = { ...base, cron, misfireWithinMs: 86_400_000, jitterMs: 0 };
    manager.addJob({ ...job, kind: `noop-${index}`, schedules: [{ spec, arguments: [] }] });
  }
  await manager.start();
  return manager;
}

const firstAt = performance.now();
const first = await start();
const firstMs = performance.now() - firstAt;
await first.stop();
const againAt = performance.now();
const manager = await start();
const againMs = performance.now() - againAt;
await wait(Number(values.settle));
const before = processCost(process.pid);
await wait(idleMs);
const after = processCost(process.pid);
console.log(JSON.stringify({
  firstMs,
  againMs,
  rssMb: after.rssMb,
  cpuMsAMinute: cpuBetween(before, after) * (60_000 / idleMs),
}));
await manager.stop();
