import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import { encodeError } from "../../../src/core/arguments/encode.ts";
import { JobError } from "../../../src/core/errors.ts";
import type { ErrorInfo, Instance } from "../../../src/core/instance.ts";
import { type JobDefinition, type JobSchedule, NO_HANDLERS } from "../../../src/core/job/job.ts";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import type { JobState } from "../../../src/core/state.ts";
import { Manager } from "../../../src/manager/manager.ts";
import type { Channel } from "../../../src/notices/channels/channel.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import type { Logger } from "../../../src/platform/logger.ts";
import type { ProcessIdentity } from "../../../src/platform/process/process_identity.ts";
import { seededRandom } from "../seeded_random.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import type { Store } from "../../../src/store/store.ts";
import type {
  AbortCause,
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
  HandlerTask,
  Survivors,
} from "../../../src/worker/executor.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { SimClock } from "./sim_clock.ts";
// What the manager loads late: the first load takes longer than a simulated clock waits.
import "../../../src/manager/external/pings.ts";
import "../../../src/manager/timeline/explain.ts";
import "../../../src/manager/timeline/timeline.ts";
import "../../../src/manager/notices/notice_calls.ts";
import "../../../src/manager/notices/notice_parts.ts";

/** Lease of the manager under test. */
export const LEASE_MS = 15_000;

/** One attempt that the manager started, under the test's control. */
export class ScriptedAttempt implements Attempt {
  readonly task: AttemptTask;
  readonly sink: AttemptSink;
  readonly outcome: Promise<AttemptOutcome>;
  readonly aborts: AbortCause[] = [];
  readonly deadlines: number[] = [];
  #resolve!: (outcome: AttemptOutcome) => void;

  constructor(task: AttemptTask, sink: AttemptSink) {
    this.task = task;
    this.sink = sink;
    this.outcome = new Promise((resolve) => this.#resolve = resolve);
  }

  get instance(): Instance {
    return this.task.instance;
  }

  extend(deadlineMs: number): void {
    this.deadlines.push(deadlineMs);
  }

  abort(cause: AbortCause): void {
    this.aborts.push(cause);
  }

  ok(resultsJson = "[]"): void {
    this.#resolve({ type: "ok", resultsJson });
  }

  fail(message = "failed"): void {
    this.#resolve({ type: "error", error: encodeError(new Error(message)) });
  }

  /** As a worker that is gone: the job's handlers know nothing of it yet. */
  exit(): void {
    const error = { name: "WorkerExitError", message: "exited", exitCode: 3 };
    this.#resolve({ type: "error", error, isUnasked: true });
  }

  end(outcome: AttemptOutcome): void {
    this.#resolve(outcome);
  }

  lose(): void {
    this.#resolve({ type: "lost", error: encodeError(new Error("killed")) });
  }

  aborted(cause: AbortCause): void {
    this.#resolve({ type: "aborted", cause, error: encodeError(new Error(cause)) });
  }

  log(message: string): void {
    this.sink.log([{ at: 0, level: "info", message, source: "job" }]);
  }

  /** As a program that writes lines to its standard output. */
  print(...lines: readonly string[]): void {
    const entry = { at: 0, level: "info", source: "stdout" } as const;
    this.sink.log(lines.map((message) => ({ ...entry, message })));
  }
}

/** Workers that do what the test says. */
export class ScriptedExecutor implements Executor {
  /** Attempts that have not begun, as it says. */
  waiting = 0;
  readonly attempts: ScriptedAttempt[] = [];
  readonly notified: { readonly id: string; readonly state: JobState }[] = [];
  isStopped = false;
  /** Set by a test whose attempts keep to their time themselves. */
  keepsStartAt?: () => boolean;
  survivors: Survivors | undefined;
  /** Every number of workers that it was given. */
  readonly sizes: number[] = [];
  /** Called with each attempt as it starts; null leaves it to the test. */
  onRun: ((attempt: ScriptedAttempt) => void) | null = null;
  onTerminate:
    | ((error: ErrorInfo, log: HandlerTask["log"]) => Promise<AttemptOutcome | null>)
    | null = null;
  onNotify: ((state: JobState) => Promise<void>) | null = null;

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.isStopped = true;
  }

  resize(count: number): void {
    this.sizes.push(count);
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    const attempt = new ScriptedAttempt(task, sink);
    this.attempts.push(attempt);
    this.onRun?.(attempt);
    return attempt;
  }

  async handle({ instance, call, log }: HandlerTask): Promise<AttemptOutcome | null> {
    if (call.type === "terminate") return await this.onTerminate?.(call.error, log) ?? null;
    await this.onNotify?.(call.state);
    this.notified.push({ id: instance.id, state: call.state });
    return { type: "ok", resultsJson: "[]" };
  }

  stats() {
    return { alive: this.attempts.length, busy: 0 };
  }

  /** The last attempt. */
  get last(): ScriptedAttempt {
    return this.attempts.at(-1)!;
  }
}

/** A link to the store that a test may cut, method by method, and count. */
export class StoreLink {
  readonly calls = new Map<string, number>();
  readonly #broken = new Map<string, JobError>();
  readonly #held = new Map<string, Promise<void>>();

  /** Refuse `methods` until {@link mend}. */
  cut(
    methods: readonly string[],
    code: "unavailable" | "resource_exhausted" | "conflict" = "unavailable",
  ) {
    for (const method of methods) this.#broken.set(method, new JobError(code, "The link is cut"));
  }

  mend(): void {
    this.#broken.clear();
  }

  /** Keep the answers of `method` back until the answer is called. */
  hold(method: string): () => void {
    let release!: () => void;
    this.#held.set(method, new Promise((resolve) => release = resolve));
    return () => {
      this.#held.delete(method);
      release();
    };
  }

  count(method: string): number {
    return this.calls.get(method) ?? 0;
  }

  over(store: Store): Store {
    return new Proxy(store, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        const name = String(key);
        return (...args: unknown[]) => {
          this.calls.set(name, this.count(name) + 1);
          const broken = this.#broken.get(name);
          if (broken) return Promise.reject(broken);
          const held = this.#held.get(name);
          const answer = value.apply(target, args);
          return held ? held.then(() => answer) : answer;
        };
      },
    });
  }
}

const OPTIONS: JobOptions = {
  ...JOB_DEFAULTS,
  priority: 5,
  timeoutMs: 0,
  deadlineMs: 0,
  killAfterMs: 1_000,
  retry: {
    ...JOB_DEFAULTS.retry,
    max: 0,
    backoff: "fixed",
    initialMs: 1_000,
    capMs: 60_000,
    jitter: 0,
  },
  crashesMax: 3,
  keepSuccessMs: 3_600_000,
  keepFailureMs: 7_200_000,
  isolation: "process",
};

const SPEC: ScheduleSpec = {
  cron: null,
  everyMs: null,
  timezone: "UTC",
  overlap: "skip",
  misfire: "latest",
  misfireWithinMs: 86_400_000,
  jitterMs: 0,
};

/** A schedule of a job, every minute unless `spec` says otherwise. */
export function scheduleOf(spec: Partial<ScheduleSpec> = {}): JobSchedule {
  const when = spec.everyMs ? {} : { cron: "* * * * *" };
  return { spec: { ...SPEC, ...when, ...spec }, arguments: [] };
}

/** A job that the scripted executor runs. */
export function jobOf(
  kind: string,
  input: {
    readonly options?: Partial<JobOptions>;
    readonly schedules?: readonly JobSchedule[];
    readonly onStateChange?: boolean;
    readonly hasHandler?: Partial<JobDefinition["hasHandler"]>;
  } = {},
): JobDefinition {
  return {
    kind,
    description: "",
    source: { type: "function", run: () => {}, handlers: {} },
    signature: { parameters: [], resultCount: 0, isTyped: false, warnings: [] },
    options: { ...OPTIONS, ...input.options },
    schedules: input.schedules ?? [],
    hasHandler: {
      ...NO_HANDLERS,
      ...input.hasHandler,
      onStateChange: input.onStateChange ?? input.hasHandler?.onStateChange ?? false,
    },
    registeredAt: 0,
  };
}

const nodeCounts = new WeakMap<Store, number>();

function nextNode(store: Store): string {
  const count = (nodeCounts.get(store) ?? 0) + 1;
  nodeCounts.set(store, count);
  return count === 1 ? "node" : `node-${count}`;
}

/** A manager on a clock that moves only when told. */
export class ManagerWorld {
  readonly clock: SimClock;
  readonly store: Store;
  readonly link = new StoreLink();
  readonly executor = new ScriptedExecutor();
  readonly logged: string[] = [];
  /** The same with level and fields, as text. */
  readonly records: string[] = [];
  /** Why it is no longer a node. */
  readonly lost: JobError[] = [];
  readonly manager: Manager;

  constructor(
    options: {
      readonly jobs?: readonly JobDefinition[];
      readonly workers?: number;
      readonly disabledKinds?: readonly string[];
      readonly pools?: Readonly<Record<string, number>>;
      readonly keepsUnknown?: boolean;
      readonly tzVersion?: string;
      readonly shownKind?: string;
      /** "node" by default, and "node-2" and so on for those that come to its store. */
      readonly node?: string;
      readonly tags?: readonly string[];
      /** {@link LEASE_MS} by default. */
      readonly leaseMs?: number;
      readonly nodeLeaseMs?: number;
      readonly listenerProblems?: () => readonly string[];
      readonly process?: ProcessIdentity;
      /** Channels to people. */
      readonly channels?: readonly Channel[];
      /** How far the manager's clock is off the world's. */
      readonly skewMs?: number;
      /** To go on with what another manager left. */
      readonly before?: { readonly clock: SimClock; readonly store: Store };
      /** What runs attempts, instead of the scripted workers. */
      readonly executorOf?: (clock: SimClock) => Executor;
      /** What the manager sees of the clock. */
      readonly clockOf?: (clock: SimClock) => Clock;
    } = {},
  ) {
    const clock = options.before?.clock ?? new SimClock();
    this.clock = clock;
    this.store = options.before?.store ??
      new MemoryStore({ defer: (callback) => clock.defer(callback) });
    const random = seededRandom(1);
    this.manager = new Manager({
      store: this.link.over(this.store),
      executor: options.executorOf?.(clock) ?? this.executor,
      clock: options.clockOf?.(clock) ?? (options.skewMs ? clock.view(options.skewMs) : clock),
      random,
      ids: createIdSource(clock, random),
      logger: this.#logger(),
      node: options.node ?? nextNode(this.store),
      tags: options.tags ?? [],
      process: options.process ?? {
        ...{ host: "host", pid: 1, process: null },
        fateOf: () => "unknown",
      },
      lost: (error) => this.lost.push(error),
      version: "0",
      workers: options.workers ?? 1,
      leaseMs: options.leaseMs ?? LEASE_MS,
      ...(options.nodeLeaseMs === undefined ? {} : { nodeLeaseMs: options.nodeLeaseMs }),
      ...(options.listenerProblems ? { listenerProblems: options.listenerProblems } : {}),
      drainMs: 5_000,
      jobDefaults: OPTIONS,
      scheduleDefaults: SPEC,
      jobs: options.jobs ?? [jobOf("work")],
      disabled: new Map(
        (options.disabledKinds ?? []).map((kind) => [kind, `Cannot load ${kind}.ts: as asked`]),
      ),
      pools: options.pools ?? {},
      ...(options.channels ? { notices: { channels: options.channels, host: "host" } } : {}),
      keepsUnknown: options.keepsUnknown,
      tzVersion: options.tzVersion,
      shownKind: options.shownKind,
    });
  }

  /** What a promise comes to when the turns it needs have passed. */
  async of<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    await this.clock.settle();
    return await promise;
  }

  /** Start; answers the world. */
  async started(): Promise<this> {
    await this.of(this.manager.start());
    await this.clock.settle();
    return this;
  }

  async schedule(
    kind = "work",
    options: Parameters<Manager["scheduleJob"]>[1] = {},
  ): Promise<Instance> {
    return await this.of(this.manager.scheduleJob(kind, options));
  }

  async get(id: string): Promise<Instance> {
    return await this.of(this.store.get(id)) as Instance;
  }

  async instances(): Promise<readonly Instance[]> {
    return (await this.of(this.store.list({}, { limit: 1_000, order: "oldest" }))).items;
  }

  async logOf(id: string): Promise<readonly string[]> {
    const { items } = await this.of(this.store.logs({ instanceId: id }, { limit: 1_000 }));
    return items.map(({ message }) => message);
  }

  #logger(): Logger {
    const log = (level: string): Logger["info"] => (message, fields = {}) => {
      this.logged.push(message);
      this.records.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
    return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  }
}
