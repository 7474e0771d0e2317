import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type AttemptUsage,
  type Instance,
  isLive,
  type LiveUsage,
  type LogEntry,
  type ProcessPlace,
  type Progress,
} from "../../src/core/instance.ts";
import {
  type CommandSpec,
  type JobDefinition,
  type JobSource,
  NO_PROCESS,
} from "../../src/core/job/job.ts";
import type { ParameterShape, Signature } from "../../src/core/arguments/signature.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import type { AttemptSink, AttemptTask } from "../../src/worker/executor.ts";
import { USUAL_FIELDS } from "../../src/store/instance_fields.ts";

const NO_TYPES: Signature = {
  parameters: [],
  resultCount: null,
  isTyped: false,
  warnings: [],
};

const OPTIONS: JobOptions = {
  ...JOB_DEFAULTS,
  priority: 5,
  timeoutMs: 0,
  deadlineMs: 0,
  killAfterMs: 10_000,
  retry: {
    ...JOB_DEFAULTS.retry,
    max: 0,
    backoff: "fixed",
    initialMs: 0,
    capMs: 0,
    jitter: 0,
  },
  crashesMax: 3,
  keepSuccessMs: 1_000,
  keepFailureMs: 1_000,
  isolation: "process",
};

/** A job definition with defaults for what a test does not care about. */
export function makeJob(
  kind: string,
  source: JobSource,
  options: Partial<JobOptions> = {},
  signature: Signature = NO_TYPES,
): JobDefinition {
  return {
    kind,
    description: "",
    source,
    signature,
    options: { ...OPTIONS, ...options },
    schedules: [],
    hasHandler: { onComplete: true, onTerminate: true, retryDelay: true, onStateChange: true },
    registeredAt: 0,
  };
}

/**
 * A signature without types whose injected parameters stand where named: `"Context, , Manager"`.
 */
export function injectedSignature(text: string): Signature {
  const parameters = text.split(",").map((part, index): ParameterShape => {
    const inject = part.trim();
    const name = `p${index}`;
    if (inject !== "") return { role: "injected", name, inject: inject as "Context" };
    const shape = { type: "unknown" } as const;
    return { role: "argument", name, shape, isOptional: true, isRest: false };
  });
  return { parameters, resultCount: null, isTyped: true, warnings: [] };
}

const MODULE = fileURLToPath(new URL("./processes/worker_jobs.ts", import.meta.url));
const VERSION = createHash("sha256").update(readFileSync(MODULE)).digest("hex");

/** A job of test/support/processes/worker_jobs.ts. */
export function moduleJob(
  kind: string,
  options: Partial<JobOptions> = {},
  signature: Signature = NO_TYPES,
): JobDefinition {
  return makeJob(
    kind,
    { type: "module", path: MODULE, entry: kind, version: VERSION },
    options,
    signature,
  );
}

/** A command job. */
export function commandJob(
  argv: readonly string[],
  spec: Partial<CommandSpec> = {},
  options: Partial<JobOptions> = {},
): JobDefinition {
  const command = {
    argv,
    ...NO_PROCESS,
    cwd: "/",
    stdin: null,
    successCodes: [0],
    parameters: [],
    hasRest: true,
    allowsDash: false,
    ...spec,
  };
  return makeJob("command", { type: "command", command }, options);
}

let count = 0;

/** A claimed instance of a job. */
export function makeInstance(
  job: JobDefinition,
  args: readonly unknown[] = [],
  overrides: Partial<Instance> = {},
): Instance {
  count += 1;
  const now = Date.UTC(2026, 0, 1);
  return {
    ...USUAL_FIELDS,
    id: `00000000-0000-7000-8000-${String(count).padStart(12, "0")}`,
    kind: job.kind,
    state: "processing",
    queueKey: job.kind,
    argumentsJson: JSON.stringify(args),
    dueAt: now,
    createdAt: now,
    scheduledAt: now,
    processedAt: now,
    attempt: 1,
    fence: 7,
    node: "node-1",
    timeoutMs: job.options.timeoutMs,
    keepSuccessMs: 1_000,
    keepFailureMs: 1_000,
    ...overrides,
  };
}

/** A task whose lease is long unless said otherwise. */
export function makeTask(
  job: JobDefinition,
  args: readonly unknown[] = [],
  options: {
    readonly leaseMs?: number;
    readonly instance?: Partial<Instance>;
    readonly startAt?: number | undefined;
  } = {},
): AttemptTask {
  const { leaseMs = 60_000, instance, startAt } = options;
  const deadlineMs = systemClock.now().monotonicMs + leaseMs;
  return { job, instance: makeInstance(job, args, instance), deadlineMs, startAt };
}

/** A sink that keeps what it is given and lets a test await a line. */
export class RecordingSink implements AttemptSink {
  readonly entries: LogEntry[] = [];
  readonly progresses: Progress[] = [];
  readonly places: ProcessPlace[] = [];
  readonly endedAgoMs: number[] = [];
  readonly usages: (AttemptUsage | LiveUsage)[] = [];
  readonly #live = Promise.withResolvers<LiveUsage>();
  /** The first report while it runs. */
  readonly live = this.#live.promise;
  readonly calls: { readonly method: string; readonly args: readonly unknown[] }[] = [];
  answer: (method: string, args: readonly unknown[]) => unknown = () => null;
  readonly #waiting: { readonly text: string; readonly resolve: () => void }[] = [];

  log(entries: readonly LogEntry[]): void {
    this.entries.push(...entries);
    for (const { text, resolve } of this.#waiting) if (this.#has(text)) resolve();
  }

  progress(progress: Progress): void {
    this.progresses.push(progress);
  }

  endedAgo(ms: number): void {
    this.endedAgoMs.push(ms);
  }

  placed(place: ProcessPlace): void {
    this.places.push(place);
  }

  used(usage: AttemptUsage | LiveUsage): void {
    this.usages.push(usage);
    if (isLive(usage)) this.#live.resolve(usage);
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    this.calls.push({ method, args });
    return await this.answer(method, args);
  }

  /** Resolves once a message contains `text`. */
  async line(text: string): Promise<void> {
    if (this.#has(text)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ text, resolve }));
  }

  /** Messages of one source, in order. */
  messages(source?: LogEntry["source"]): string[] {
    return this.entries.filter((entry) => source === undefined || entry.source === source)
      .map((entry) => entry.message);
  }

  #has(text: string): boolean {
    return this.entries.some((entry) => entry.message.includes(text));
  }
}

/** argv of the test worker's program under this runtime. */
export function workerCommand(): readonly string[] {
  return programCommand("worker_entry.ts");
}

/** argv of a program of test/support/processes under this runtime. */
export function programCommand(name: string): readonly string[] {
  const entry = fileURLToPath(new URL(`./processes/${name}`, import.meta.url));
  return runtimeName() === "deno"
    ? [process.execPath, "run", "-A", "--no-check", entry]
    : [process.execPath, entry];
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/\) [ZX]/.test(stat);
  } catch {
    return false;
  }
}

/** Resolves once the process is gone; its end cannot be awaited, as it is not our child. */
export async function whenGone(pid: number, withinMs: number): Promise<number> {
  const startMs = systemClock.now().monotonicMs;
  while (isAlive(pid)) {
    if (systemClock.now().monotonicMs - startMs > withinMs) {
      throw new Error(`Process ${pid} still lives after ${withinMs} ms`);
    }
    await new Promise((resolve) => systemClock.timer(5, () => resolve(null)));
  }
  return systemClock.now().monotonicMs - startMs;
}
