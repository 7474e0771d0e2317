/**
 * Rates of the bare stores, without manager and workers: `bun scripts/bench/store.ts [--held N] [--jobs N]`.
 *
 * Prints one line per store and scenario: operations a second.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";
import { systemClock } from "../../src/platform/clock.ts";
import { MemoryStore } from "../../src/store/memory/memory_store.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite_store.ts";
import type { Settlement, Store } from "../../src/store/store.ts";
import { plainInstance } from "./plain_instance.ts";

const KINDS = new Set(["noop"]);

function option(name: string, fallback: number): number {
  const index = argv.indexOf(`--${name}`);
  return index < 0 ? fallback : Number(argv[index + 1]);
}

const JOBS = option("jobs", 20_000);
const HELD = option("held", 0);

const instance = () => plainInstance("noop");

const at = () => systemClock.now();

async function enqueueMany(store: Store, count: number, batch: number): Promise<void> {
  for (let done = 0; done < count; done += batch) {
    await store.enqueue({ at: at(), instances: Array.from({ length: batch }, instance) });
  }
}

/** `callers` callers that each await one enqueue after the other. */
async function enqueueByCallers(store: Store, count: number, callers: number): Promise<void> {
  await Promise.all(
    Array.from({ length: callers }, () => enqueueMany(store, count / callers, 1)),
  );
}

/** Claim and settle as a dispatcher with `workers` inline workers does: what ended is settled as the next is claimed. */
async function process(store: Store, workers: number): Promise<number> {
  let settlements: Settlement[] = [];
  let count = 0;
  for (;;) {
    const [, claimed] = await Promise.all([
      settlements.length > 0 ? store.settle({ at: at(), node: "n", settlements }) : null,
      store.claim({ at: at(), node: "n", kinds: KINDS, limit: workers, leaseMs: 15_000 }),
    ]);
    if (claimed.value.length === 0) return count;
    count += claimed.value.length;
    settlements = claimed.value.map(({ id, fence }) => ({
      id,
      fence,
      logs: [],
      outcome: {
        type: "final",
        state: "completed",
        reason: "ok",
        resultsJson: "[null]",
        error: null,
        isFailure: false,
      },
    }));
  }
}

async function measure(name: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const start = at().monotonicMs;
  await run();
  const seconds = (at().monotonicMs - start) / 1000;
  console.log(`${name.padEnd(44)} ${Math.round(count / seconds).toLocaleString("en")}/s`);
}

async function bench(name: string, store: Store): Promise<void> {
  await store.open({ at: at(), node: "n" });
  if (HELD > 0) {
    await enqueueMany(store, HELD, 1_000);
    await process(store, 1_000);
  }
  await measure(`${name}: enqueue, 1 caller`, JOBS / 4, () => enqueueMany(store, JOBS / 4, 1));
  await measure(`${name}: claim + settle, 1 worker`, JOBS / 4, () => process(store, 1));
  await measure(`${name}: enqueue, 16 callers`, JOBS, () => enqueueByCallers(store, JOBS, 16));
  await measure(`${name}: claim + settle, 16 workers`, JOBS, () => process(store, 16));
  await measure(`${name}: enqueue, batches of 1,000`, JOBS, () => enqueueMany(store, JOBS, 1_000));
  await measure(`${name}: claim + settle, 100 workers`, JOBS, () => process(store, 100));
  await measure(`${name}: end to end, 16 workers`, JOBS, async () => {
    await enqueueMany(store, JOBS, 1_000);
    await process(store, 16);
  });
  await store.close();
}

const folder = mkdtempSync(join(tmpdir(), "store-bench-"));
try {
  await bench("memory", new MemoryStore());
  const path = join(folder, "bench.db");
  await bench("sqlite", new SqliteStore({ path, defer: systemClock.defer }));
} finally {
  rmSync(folder, { recursive: true });
}
