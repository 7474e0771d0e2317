import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClaimLimits } from "../../src/core/limits.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite_store.ts";
import type { NewInstance } from "../../src/store/store.ts";
import type { Figures } from "./main.ts";
import { quantile } from "./latency.ts";
import { plainInstance } from "./plain_instance.ts";

const CLAIMS = 1_000;
const BATCH = 1_000;
const LIMITS: ClaimLimits = {
  kinds: new Map([["mail", {
    concurrency: [{ max: 1, by: ["account"], per: "cluster" }],
    rate: [],
  }]]),
  pools: [],
};

/** Claims of 4 keys in turn behind `jobs` due instances of one blocked key, on SQLite, in milliseconds. */
export async function measureBlockedKey({ jobs }: { readonly jobs: number }): Promise<Figures> {
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
    for (let left = CLAIMS * 4; left > 0; left -= BATCH) {
      await enqueue(Array.from({ length: BATCH }, (_, index) => instanceOf(`${index % 8}`, 5)));
    }
    await claim();
    const times: number[] = [];
    for (let count = 0; count < CLAIMS; count++) {
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
    return { claim_p50_ms: quantile(times, 0.5), claim_p99_ms: quantile(times, 0.99) };
  } finally {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
