import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClaimLimits } from "../../../src/core/job/limits.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import type { NewInstance } from "../../../src/store/store.ts";
import { plainInstance } from "../plain_instance.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { quantile } from "../statistics.ts";

/** Each of 4 instances. */
const CLAIMS = 1_000;
const BATCH = 1_000;
const LIMITS: ClaimLimits = {
  kinds: new Map([["mail", {
    concurrency: [{ max: 1, by: ["account"], per: "cluster" }],
    rate: [],
  }]]),
  pools: [],
};

async function measure(settings: Settings): Promise<Figures> {
  const jobs = scaled(settings, settings.jobs, 200);
  const claims = scaled(settings, CLAIMS, 20);
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const store = new SqliteStore({ path: join(dir, "bench.db"), defer: systemClock.defer });
  const at = () => systemClock.now();
  const instanceOf = (account: string, priority: number) =>
    plainInstance("mail", { priority, queueKey: `mail account=${account}` });
  const enqueue = (instances: readonly NewInstance[]) => store.enqueue({ at: at(), instances });
  const claim = async () => {
    const request = { at: at(), node: "n", kinds: new Set(["mail"]), limits: LIMITS };
    return (await store.claim({ ...request, limit: 4, leaseMs: 60_000 })).value;
  };
  try {
    await store.open({ at: at(), node: "n" });
    for (let left = jobs; left > 0; left -= BATCH) {
      await enqueue(Array.from({ length: Math.min(left, BATCH) }, () => instanceOf("blocked", 0)));
    }
    for (let left = claims * 4; left > 0; left -= BATCH) {
      await enqueue(Array.from({ length: BATCH }, (_, index) => instanceOf(`${index % 8}`, 5)));
    }
    await claim();
    const times: number[] = [];
    for (let count = 0; count < claims; count++) {
      const started = performance.now();
      const claimed = await claim();
      times.push(performance.now() - started);
      const settlements = claimed.map(({ id, fence }) => ({
        ...{ id, fence, logs: [] },
        outcome: {
          ...{ type: "final", state: "completed", reason: "ok", isFailure: false } as const,
          ...{ resultsJson: null, error: null },
        },
      }));
      await store.settle({ at: at(), node: "n", settlements });
    }
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  } finally {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Claims behind what a limit holds back. */
export const BLOCKED: readonly Scenario[] = [{
  name: "blocked-key",
  about: "a claim of 4 behind --jobs due instances of one key that a limit blocks, SQLite",
  usesStore: false,
  figures: [
    { name: "p50", unit: "ms", better: "lower" },
    { name: "p99", unit: "ms", better: "lower" },
  ],
  run: measure,
}];
