/**
 * One measurement of one product in a process of its own, under Node or Bun:
 * `run_contender.ts NAME TASK '{"url": …, "concurrency": …, "jobs": …}'` prints one line of JSON.
 */
import process from "node:process";
import { measureCron } from "./cron_libraries.ts";
import type { Contender, ContenderOptions } from "./contender.ts";
import { TASKS, type TaskSizes } from "./tasks.ts";

type Start = (options: ContenderOptions) => Promise<Contender>;

// Each is loaded only where it is measured: ours under Bun alone, with TypeScript that Node does
// not read.
const STARTS: Readonly<Record<string, () => Promise<Start>>> = {
  "ours-inline": async () => {
    const { startOurs } = await import("./ours.ts");
    return (options) => startOurs(options, "inline");
  },
  "ours-workers": async () => {
    const { startOurs } = await import("./ours.ts");
    return (options) => startOurs(options, "process");
  },
  "bullmq": async () => {
    const { startBullmq } = await import("./bullmq.ts");
    return (options) => startBullmq(options, false);
  },
  "bullmq-sandboxed": async () => {
    const { startBullmq } = await import("./bullmq.ts");
    return (options) => startBullmq(options, true);
  },
  "bee-queue": async () => (await import("./bee_queue.ts")).startBeeQueue,
  "graphile-worker": async () => {
    const { startGraphileWorker } = await import("./graphile_worker.ts");
    return (options) => startGraphileWorker(options, false);
  },
  "graphile-worker-tuned": async () => {
    const { startGraphileWorker } = await import("./graphile_worker.ts");
    return (options) => startGraphileWorker(options, true);
  },
  "pg-boss-tuned": async () => (await import("./pg_boss.ts")).startPgBoss,
};

const [name, task, json] = process.argv.slice(2) as [string, string, string];
const options = JSON.parse(json) as ContenderOptions & TaskSizes;
if (task === "cron") {
  console.log(JSON.stringify(await measureCron(name)));
} else {
  const start = await STARTS[name]!();
  const contender = await start(options);
  const figures = await TASKS[task as keyof typeof TASKS](contender, options);
  console.log(JSON.stringify(figures));
  await contender.close();
}
process.exit();
