import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { AMBIENT_TYPES } from "../../../src/jobs/types/gen/ambient.ts";
import { ambientModule } from "../../../scripts/generate/author_types.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Each of our types must fit the editor's and the other way round, where both can be made by users.
 */
const IN_STEP = `
import type * as Ambient from "ts-job";
import type * as Core from "${ROOT}src/core/job/job.ts";
import type { JobManager } from "${ROOT}src/core/job/job_manager.ts";
import type { JobInput } from "${ROOT}src/core/job/define.ts";
import type { JobState } from "${ROOT}src/core/state.ts";
import type { ScheduleOptions } from "${ROOT}src/manager/api.ts";
import type { Manager as Operations } from "${ROOT}src/manager/manager.ts";
import type { BulkFilter, InstanceFilter } from "${ROOT}src/core/job/instance_filter.ts";
import type { FlowContext } from "${ROOT}src/core/flow/flow_context.ts";

type Fits<A, B> = [A] extends [B]
  ? [B] extends [A] ? ([keyof A] extends [keyof B] ? true : "a member is missing") : "the core takes less"
  : "the core gives less";
// Types that depend on type parameters are compared by the names of their members.
export const context: Fits<
  Omit<Core.Context, "manager" | keyof FlowContext>,
  Omit<Ambient.Context, "manager" | keyof FlowContext>
> = true;
export const flow: Fits<keyof FlowContext, keyof Ambient.FlowContext> = true;
export const instance: Fits<Core.InstanceHandle, Ambient.Instance> = true;
export const log: Fits<Core.InstanceLog, Ambient.InstanceLog> = true;
export const state: Fits<JobState, Ambient.JobState> = true;
export const input: Fits<JobInput, Ambient.JobInput> = true;
export const options: Fits<ScheduleOptions, Ambient.ScheduleOptions> = true;
export const filter: Fits<InstanceFilter, Ambient.InstanceFilter> = true;
export const bulk: Fits<BulkFilter, Ambient.BulkFilter> = true;
export const worker: Fits<Core.WorkerInfo, Ambient.Worker> = true;
declare const operations: Operations;
declare const jobManager: JobManager;
export const manager: Ambient.Manager = jobManager;
export const whole: JobManager = operations;
export const methods: Fits<keyof JobManager, keyof Ambient.Manager> = true;
`;

const EXAMPLE = `
import type { Context, Instance, JobInput, Manager, Worker } from "ts-job";

export default {
  timeout: "1m",
  retry: { max: 2, backoff: "fixed" },
  async run(context: Context, day: Date, manager: Manager, worker: Worker, signal: AbortSignal): Promise<string> {
    context.log.info(\`\${context.instance.id} \${worker.pid} \${signal.aborted}\`);
    const next = await manager.scheduleJob("other", { arguments: [day], afterMs: 5 });
    context.progress(1, 2);
    await context.manager.waitInstance(next.id, 1_000);
    const { id } = await context.step("charge", () => ({ id: 7, at: new Date() }));
    const answer = await context.waitFor<{ ok: boolean }>("approved", { timeout: "7d" });
    const file: string = await context.call<(name: string) => string>("render", String(id));
    context.log.info(file, !answer.timedOut && answer.value.ok);
    return next.id;
  },
  onComplete(instance: Instance, results: readonly unknown[]) {
    instance.log.info(String(results.length));
  },
} satisfies JobInput;
`;

const CONFIG = JSON.stringify({
  extends: `${ROOT}tsconfig.json`,
  compilerOptions: { paths: {}, typeRoots: [`${ROOT}node_modules/@types`] },
  include: ["*.ts"],
});

test("AMBIENT_TYPES are those that `npm run generate` writes", () => {
  const file = `${ROOT}src/jobs/types/gen/ambient.ts`;
  assert.equal(readFileSync(file, "utf8"), ambientModule());
});

test("AMBIENT_TYPES fit the types of the core and an example that imports them", async () => {
  const files = {
    "ts-job.d.ts": AMBIENT_TYPES,
    "in_step.ts": IN_STEP,
    "example.ts": EXAMPLE,
    "tsconfig.json": CONFIG,
    "package.json": '{ "type": "module" }',
  };
  await withTempDir(files, ({ path }) => {
    const tsc = `${ROOT}node_modules/.bin/tsc`;
    const { stdout, error } = spawnSync(tsc, ["-p", path], { encoding: "utf8" });
    assert.equal(error, undefined);
    assert.equal(stdout, "");
  });
});
