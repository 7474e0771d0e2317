import { type Contender, type ContenderOptions, loadPeer } from "./contender.ts";

/**
 * bee-queue with its fastest settings: it removes successful jobs, sends no events to other queues
 * and does not track jobs.
 */
export async function startBeeQueue({ url, concurrency }: ContenderOptions): Promise<Contender> {
  const BeeQueue = loadPeer("bee-queue");
  const { hostname: host, port } = new URL(url);
  const common = {
    ...{ redis: { host, port: Number(port) }, removeOnSuccess: true, removeOnFailure: true },
    ...{ sendEvents: false, getEvents: false, storeJobs: false, activateDelayedJobs: true },
  };
  const queue = new BeeQueue("bench", { ...common, isWorker: false });
  await queue.ready();
  // deno-lint-ignore no-explicit-any
  let worker: any = null;
  return {
    addOne: (sentAt) => queue.createJob({ sentAt }).save(),
    addMany: (count) =>
      queue.saveAll(Array.from({ length: count }, () => queue.createJob({ sentAt: 0 }))),
    addAt: (dueAt) => queue.createJob({ sentAt: dueAt }).delayUntil(dueAt).save(),
    async startWorkers({ run, ended }) {
      worker = new BeeQueue("bench", common);
      await worker.ready();
      worker.on("succeeded", () => ended(1));
      worker.process(concurrency, async (job: { data: { sentAt: number } }) => {
        run(job.data.sentAt);
      });
    },
    async stopWorkers() {
      await worker?.close(5_000);
    },
    async close() {
      await queue.close(5_000);
    },
  };
}
