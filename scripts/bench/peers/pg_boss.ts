import { type Contender, type ContenderOptions, loadPeer } from "./contender.ts";

const BATCH = 500;

/**
 * pg-boss, tuned: batches of 500 to a handler, as many again while they come back full, woken by
 * NOTIFY. A batch is one transaction and has one outcome; there is no "16 at once".
 */
export async function startPgBoss({ url }: ContenderOptions): Promise<Contender> {
  const { PgBoss } = loadPeer("pg-boss");
  const boss = new PgBoss({ connectionString: url, useListenNotify: true, max: 10 });
  boss.on("error", (error: unknown) => console.error(error));
  await boss.start();
  await boss.createQueue("bench", { notify: true, retryLimit: 0 });
  return {
    addOne: (sentAt) => boss.send("bench", { sentAt }),
    addMany: (count) =>
      boss.insert("bench", Array.from({ length: count }, () => ({ data: { sentAt: 0 } }))),
    addAt: (dueAt) => boss.send("bench", { sentAt: dueAt }, { startAfter: new Date(dueAt) }),
    async startWorkers({ run, ended }) {
      const options = {
        ...{ batchSize: BATCH, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
        ...{ notifyPollingIntervalSeconds: 0.5, localConcurrency: 2 },
      };
      await boss.work("bench", options, async (jobs: { data: { sentAt: number } }[]) => {
        for (const job of jobs) run(job.data.sentAt);
        // Recorded once this returns: counted with the turn in which the next batch is asked for.
        setImmediate(() => ended(jobs.length));
      });
    },
    async stopWorkers() {
      await boss.offWork("bench");
    },
    async close() {
      await boss.stop({ graceful: false });
    },
  };
}
