import { type Contender, type ContenderOptions, loadPeer } from "./contender.ts";

/** Of its performance page: fetch 500 at once, record completions together. */
const TUNED = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

/** graphile-worker, with its defaults or tuned with a local queue and batched completion. */
export async function startGraphileWorker(
  { url, concurrency }: ContenderOptions,
  isTuned: boolean,
): Promise<Contender> {
  const { run: runWorker, makeWorkerUtils, Logger } = loadPeer("graphile-worker");
  const logger = new Logger(() => () => {});
  const { Pool } = loadPeer("pg");
  const pgPool = new Pool({ connectionString: url, max: concurrency + 4 });
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  // deno-lint-ignore no-explicit-any
  let runner: any = null;
  return {
    addOne: (sentAt) => utils.addJob("noop", { sentAt }),
    addMany: (count) =>
      utils.addJobs(
        Array.from({ length: count }, () => ({ identifier: "noop", payload: { sentAt: 0 } })),
      ),
    addAt: (dueAt) => utils.addJob("noop", { sentAt: dueAt }, { runAt: new Date(dueAt) }),
    async startWorkers({ run, ended }) {
      const { EventEmitter } = await import("node:events");
      const events = new EventEmitter();
      events.on("job:complete", () => ended(1));
      runner = await runWorker({
        pgPool,
        events,
        preset: {
          worker: { concurrentJobs: concurrency, logger, ...isTuned ? TUNED : {} },
        },
        noHandleSignals: true,
        taskList: { noop: (payload: { sentAt: number }) => run(payload.sentAt) },
      });
    },
    async stopWorkers() {
      await runner?.stop();
    },
    async close() {
      await utils.release();
      await pgPool.end();
    },
  };
}
