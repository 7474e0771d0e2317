import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { processorMs } from "../support/processes/processor_time.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { multiplyInstance } from "../support/worlds/many_instances.ts";

/** Due instances: `npm run slow -- volume` has a million. */
const COUNT = Number(process.env["JOBCTL_VOLUME"] ?? 250_000);
/** Work that grows with the queue exceeds these limits also with the shorter one. */
const OPEN_MS_MAX = COUNT / 100;
const CLAIM_MS_MAX = Math.min(50, COUNT / 10_000);
const START = Date.UTC(2026, 0, 1);

/** Copy one waiting row until there are `count`, with ids and due times of their own. */
function multiply(path: string, count: number): void {
  const db = new DatabaseSync(path);
  multiplyInstance(db, { count, set: { due_at: "due_at + n % 1000", priority: "n % 10" } });
  db.exec(`UPDATE kind SET scheduled = ${count}, ready = ${count}`);
  db.close();
}

test(
  `fault 76: a queue of ${COUNT} due instances opens at once and is claimed from evenly`,
  { timeout: 120_000 },
  async () => {
    await withTempDir({}, async (dir) => {
      const path = join(dir.path, "volume.db");
      const defer = (callback: () => void) => void setImmediate(callback);
      const at = (ms: number) => ({ wallMs: START + ms, monotonicMs: ms });
      const small = new SqliteStore({ path, defer });
      await small.open({ at: at(0), node: "n" });
      await small.enqueue({
        at: at(0),
        instances: [{
          ...{
            id: "019b76da-a800-7000-8000-000000000001",
            kind: "mail",
            priority: 5,
            dueAt: START,
          },
          ...{ queueKey: "mail", uniqueKey: null, argumentsJson: "[]", scheduleId: null },
          ...{ scheduledFor: null, retryOf: null, deadlineAt: null, retryMax: 0, crashesMax: 3 },
          ...{ timeoutMs: 0, keepSuccessMs: 60_000, keepFailureMs: 60_000 },
        }],
      });
      await small.close();
      multiply(path, COUNT);
      const store = new SqliteStore({ path, defer });
      const bytes = process.memoryUsage().rss;
      const begun = processorMs();
      await store.open({ at: at(1_000), node: "n" });
      const openMs = processorMs() - begun;
      assert.ok(openMs < OPEN_MS_MAX, `open ${openMs} ms`);
      const spans: number[] = [];
      let last = -1;
      for (let index = 0; index < 1_000; index++) {
        const from = processorMs();
        const request = { node: "n", kinds: new Set(["mail"]), limit: 4, leaseMs: 60_000 };
        const { value } = await store.claim({ at: at(2_000 + index), ...request });
        spans.push(processorMs() - from);
        assert.equal(value.length, 4);
        assert.ok(value[0]!.priority >= last);
        last = value[0]!.priority;
      }
      spans.sort((a, b) => a - b);
      const p99 = spans[Math.floor(spans.length * 0.99)]!;
      assert.ok(p99 < CLAIM_MS_MAX, `claim p99 ${p99} ms`);
      const moreMb = (process.memoryUsage().rss - bytes) / 2 ** 20;
      assert.ok(moreMb < 200, `${moreMb} MB`);
      await store.close();
    });
  },
);
