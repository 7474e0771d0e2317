import { fileURLToPath } from "node:url";
import { type Contender, type ContenderOptions, loadPeer } from "./contender.ts";

const SANDBOXED_JOB = fileURLToPath(new URL("./noop_job.cjs", import.meta.url));

/**
 * BullMQ with its fastest durable settings: it removes completed jobs, keeps no metrics and has no
 * subscriber to its events.
 *
 * With `isSandboxed` its jobs run in child processes, as ours in worker processes.
 */
export async function startBullmq(
  { url, concurrency }: ContenderOptions,
  isSandboxed: boolean,
): Promise<Contender> {
  const { Queue, Worker } = loadPeer("bullmq");
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const options = { removeOnComplete: true, removeOnFail: true };
  const queue = new Queue("bench", { connection, defaultJobOptions: options });
  await queue.waitUntilReady();
  let worker: { close(): Promise<void> } | null = null;
  return {
    addOne: (sentAt) => queue.add("noop", { sentAt }),
    addMany: (count) =>
      queue.addBulk(Array.from({ length: count }, () => ({ name: "noop", data: { sentAt: 0 } }))),
    addAt: (dueAt) =>
      queue.add("noop", { sentAt: dueAt }, { delay: Math.max(0, dueAt - Date.now()) }),
    async startWorkers({ run, ended }) {
      const job = isSandboxed
        ? SANDBOXED_JOB
        : async (one: { data: { sentAt: number } }) => run(one.data.sentAt);
      const started = new Worker("bench", job, { connection, concurrency });
      started.on("completed", () => ended(1));
      await started.waitUntilReady();
      worker = started;
    },
    async stopWorkers() {
      await worker?.close();
    },
    async close() {
      await queue.close();
    },
  };
}
