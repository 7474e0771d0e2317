import type { JobDefinition } from "../../core/job/job.ts";
import type { Attempt, AttemptSink, AttemptTask, Executor } from "../executor.ts";

/**
 * An executor that delegates by job: functions run inline, commands in their supervisor, and
 * modules by the job's `isolation`.
 */
export function createExecutor(
  executors: { readonly process: Executor; readonly command: Executor; readonly inline: Executor },
): Executor {
  const { process, command, inline } = executors;
  const all = [inline, process, command];
  const pick = ({ source, options }: JobDefinition): Executor => {
    if (source.type === "command") return command;
    if (source.type === "function") return inline;
    return source.type === "module" && options.isolation === "inline" ? inline : process;
  };
  return {
    async start() {
      for (const executor of all) await executor.start();
    },
    async stop() {
      await Promise.all(all.map((executor) => executor.stop()));
    },
    kill() {
      for (const executor of all) executor.kill?.();
    },
    run: (task: AttemptTask, sink: AttemptSink): Attempt => pick(task.job).run(task, sink),
    keepsStartAt: (job) => pick(job).keepsStartAt?.(job) ?? false,
    get waiting() {
      return all.reduce((sum, { waiting }) => sum + waiting, 0);
    },
    prepare: (job) => pick(job).prepare?.(job),
    handle: (task) => pick(task.job).handle(task),
    survivors: command.survivors,
    resize(count) {
      for (const executor of all) executor.resize(count);
    },
    stats() {
      const stats = all.map((executor) => executor.stats());
      const sumOf = (name: "alive" | "busy" | "failedStarts" | "silent") =>
        stats.reduce((sum, each) => sum + (each[name] ?? 0), 0);
      const failedStarts = sumOf("failedStarts");
      const silent = sumOf("silent");
      return {
        alive: sumOf("alive"),
        busy: sumOf("busy"),
        ...(failedStarts === 0 ? {} : { failedStarts }),
        ...(silent === 0 ? {} : { silent }),
      };
    },
  };
}
