import assert from "node:assert/strict";
import { join } from "node:path";
import { isJobError } from "../../../src/core/errors.ts";
import type { CuttingProxy } from "./cutting_proxy.ts";
import { startDaemon } from "../processes/daemon.ts";
import { linesOf, sleep, until } from "../wait.ts";

const APPEND = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function append(ctx: Context, file: string, ms = 0): Promise<string> {
  ctx.signal.addEventListener("abort", () => appendFileSync(file, "aborted\\n"));
  appendFileSync(file, "started\\n");
  await new Promise((done) => setTimeout(done, ms));
  appendFileSync(file, "ended\\n");
  return "done";
}
`;

/** How long a request is repeated until it is accepted, in milliseconds. */
const ACCEPT_MS_MAX = 60_000;

/** A store that answers late, and what is asked of it. */
export interface SlowStore {
  readonly url: string;
  /** Before the store's server. */
  readonly proxy: CuttingProxy;
  readonly delayMs: number;
  readonly leaseMs: number;
  /** At most 10. */
  readonly jobs: number;
}

/**
 * Row 20 on the compiled file: jobs longer than their lease, on a store whose answers are late.
 * Each runs once and keeps its lease; what is asked of the daemon is done or refused within 5 s,
 * and done once all the same.
 */
export async function checkSlowStore(
  { url, proxy, delayMs, leaseMs, jobs }: SlowStore,
): Promise<void> {
  const daemon = await startDaemon({
    modules: { "append.ts": APPEND },
    env: { JOBCTL_STORE_URL: url, JOBCTL_WORKER_LEASE: `${leaseMs}ms` },
  });
  const fileOf = (id: string) => join(daemon.dir, `${id}.effects`);
  const schedule = async (id: string, ms: number) => {
    const request = { kind: "append", uuid: id, argumentsJson: JSON.stringify([fileOf(id), ms]) };
    // What is refused is asked again: with the same id it is done once. A store that takes longer
    // than any request refuses each, and does it.
    const endMs = performance.now() + ACCEPT_MS_MAX;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      const isAccepted = await daemon.client().scheduleJob(request).then(() => true, (error) => {
        if (!isJobError(error, "unavailable")) throw error;
        return false;
      });
      // The daemon refuses after 5 s; on a busy machine the response takes a while.
      assert.ok(performance.now() - startMs < 10_000, `${performance.now() - startMs} ms`);
      if (isAccepted || linesOf(fileOf(id)).length > 0) return;
    }
    assert.fail(`Not accepted in ${ACCEPT_MS_MAX} ms`);
  };
  const ids = Array.from({ length: jobs }, (_, n) => `00000000-0000-4000-8000-00000000000${n}`);
  try {
    await schedule(ids[0]!, leaseMs * 2);
    proxy.delayAnswers(delayMs);
    for (const id of ids.slice(1)) await schedule(id, leaseMs * 1.5);
    const hasEnded = (id: string) => linesOf(fileOf(id)).includes("ended");
    await until("all have run", () => ids.every(hasEnded), leaseMs * 20).catch((error) => {
      throw new Error(daemon.log(), { cause: error });
    });
    // Time enough for what would run again.
    await sleep(leaseMs + 2 * delayMs);
    for (const id of ids) assert.deepEqual(linesOf(fileOf(id)), ["started", "ended"], daemon.log());
    proxy.delayAnswers(0);
    await until("all is settled", async () => {
      const { stdout } = await daemon.ask(["list", "instances", "-o", "json"]);
      const states = [...stdout.matchAll(/"state": ?"(\w+)"/g)].map(([, state]) => state);
      return states.length === ids.length && states.every((state) => state === "completed");
    });
    assert.doesNotMatch(daemon.log(), /claim has expired|lost its lease|Took back/);
  } finally {
    await daemon.stop({ force: true });
  }
}
