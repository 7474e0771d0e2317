import type { JobDefinition } from "../core/job/job.ts";
import type { Attempt, AttemptSink, AttemptTask, Executor } from "./executor.ts";

/**
 * An executor that picks another one per job: functions run inline, commands in worker processes,
 * and modules as the job's `isolation` says.
 */
export function createExecutor(
  { process, inline }: { readonly process: Executor; readonly inline: Executor },
): Executor {
  const pick = ({ source, options }: JobDefinition): Executor => {
    if (source.type === "function") return inline;
    return source.type === "module" && options.isolation === "inline" ? inline : process;
  };
  return {
    async start() {
      await inline.start();
      await process.start();
    },
    async stop() {
      await Promise.all([process.stop(), inline.stop()]);
    },
    run: (task: AttemptTask, sink: AttemptSink): Attempt => pick(task.job).run(task, sink),
    get waiting() {
      return inline.waiting + process.waiting;
    },
    handle: (task) => pick(task.job).handle(task),
    resize(count) {
      inline.resize(count);
      process.resize(count);
    },
    stats() {
      const [first, second] = [inline.stats(), process.stats()];
      const [alive, busy] = [first.alive + second.alive, first.busy + second.busy];
      return { ...second, alive, busy };
    },
  };
}
