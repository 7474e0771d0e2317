import type { Figures } from "./main.ts";
import { startBenchManager } from "./bench_manager.ts";

const CALLS = 300;

/** From the call of an idle manager to the committed outcome of one instance, on durable SQLite, in milliseconds. */
export async function measurePickUp(isolation: "inline" | "process"): Promise<Figures> {
  const bench = await startBenchManager({ store: "sqlite", isolation, workers: 4 });
  const started: number[] = [];
  const ended: number[] = [];
  try {
    for (let call = 0; call < CALLS + 20; call++) {
      const at = performance.now();
      const instance = await bench.manager.scheduleJob("noop");
      const accepted = performance.now() - at;
      await bench.manager.wait(instance);
      if (call < 20) continue;
      started.push(accepted);
      ended.push(performance.now() - at);
    }
  } finally {
    await bench.close();
  }
  return {
    accepted_p50_ms: quantile(started, 0.5),
    accepted_p99_ms: quantile(started, 0.99),
    done_p50_ms: quantile(ended, 0.5),
    done_p99_ms: quantile(ended, 0.99),
  };
}

/** The value that a share of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
