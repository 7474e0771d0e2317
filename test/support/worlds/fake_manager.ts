import type { StepInfo } from "../../../src/core/flow/step_info.ts";
import { createHash } from "node:crypto";
import type { HookDelivery } from "../../../src/core/hooks/hook.ts";
import type { ReportedRun } from "../../../src/core/job/external.ts";
import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import { type Block, unservedBlock } from "../../../src/core/job/limits.ts";
import { JobError } from "../../../src/core/errors.ts";
import type { Instance, RunningProcess } from "../../../src/core/instance.ts";
import { type JobDefinition, NO_HANDLERS } from "../../../src/core/job/job.ts";
import { kindsNeeding } from "../../../src/core/job/tags.ts";
import { includesKind } from "../../../src/core/job/job_scope.ts";
import type { Incident, Silence } from "../../../src/core/notices/incident.ts";
import type { ChannelSummary } from "../../../src/core/notices/settings.ts";
import { isDeadState, isFinal } from "../../../src/core/state.ts";
import type { JobState } from "../../../src/core/state.ts";
import type {
  ExplainQuery,
  ManagerApi,
  ManagerEvent,
  NodeStatus,
} from "../../../src/manager/api.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { memorySessions } from "./memory_sessions.ts";
import type { InstanceQuery, StateCounts } from "../../../src/store/store.ts";
import type { UpcomingRun } from "../../../src/manager/api/instances.ts";
import { USUAL_FIELDS } from "../../../src/store/instance_fields.ts";

const START = Date.UTC(2026, 0, 1);

/** A job definition for tests; its arguments are not typed. */
export function fakeJob(kind: string, options: Partial<JobDefinition> = {}): JobDefinition {
  return {
    kind,
    description: `The job ${kind}`,
    source: { type: "system", name: kind },
    signature: { parameters: [], resultCount: null, isTyped: false, warnings: [] },
    options: {
      ...JOB_DEFAULTS,
      priority: 5,
      timeoutMs: 0,
      deadlineMs: 0,
      killAfterMs: 10_000,
      retry: {
        ...JOB_DEFAULTS.retry,
        max: 0,
        backoff: "fixed",
        initialMs: 1,
        capMs: 1,
        jitter: 0,
      },
      crashesMax: 3,
      keepSuccessMs: 1,
      keepFailureMs: 1,
      isolation: "inline",
    },
    schedules: [],
    hasHandler: NO_HANDLERS,
    registeredAt: START,
    ...options,
  };
}

/** The `index`-th instance of a fake manager. */
export function fakeInstance(index: number, options: Partial<Instance> = {}): Instance {
  const kind = options.kind ?? "echo";
  return {
    ...USUAL_FIELDS,
    id: `019b77c0-0000-7000-8000-${index.toString(16).padStart(12, "0")}`,
    kind,
    state: "scheduled",
    queueKey: kind,
    dueAt: START,
    createdAt: START + index,
    scheduledAt: START + index,
    keepSuccessMs: 1,
    keepFailureMs: 1,
    ...options,
  };
}

/** A live node. */
export function fakeNode(id: string, options: Partial<NodeStatus> = {}): NodeStatus {
  return {
    id,
    state: "live",
    host: "alpha",
    pid: 4711,
    process: null,
    version: "0.0.0-test",
    startedAt: START,
    tags: [],
    kinds: ["echo"],
    idle: [],
    limits: {},
    workers: 4,
    busy: 1,
    isDraining: false,
    tzVersion: "2026b",
    session: START,
    seenAt: START,
    until: START + 15_000,
    leftAt: null,
    wantedWorkers: null,
    format: 1,
    skewMs: null,
    ...options,
  };
}

/** A manager in memory that runs nothing: the test sets what its clients see. */
export class FakeManager implements ManagerApi {
  /** How often the status was requested. */
  statusCount = 0;
  readonly version = "0.0.0-test";
  readonly jobs = new Map<string, JobDefinition>([["echo", fakeJob("echo")]]);
  readonly instances = new Map<string, Instance>();
  readonly scheduled: { readonly kind: string; readonly options: unknown }[] = [];
  /** What explain() was asked for. */
  readonly explained: ExplainQuery[] = [];
  readonly canceled: { readonly query: InstanceQuery; readonly all: boolean }[] = [];
  readonly signals: unknown[] = [];
  steps: readonly StepInfo[] = [];
  readonly frozen: { readonly id: string; readonly thaw?: boolean; readonly reason?: string }[] =
    [];
  readonly redriven: {
    readonly query: InstanceQuery;
    readonly all?: boolean;
    readonly isForced?: boolean;
  }[] = [];
  storeProblem: string | null = null;
  reloadProblem: string | null = null;
  listenerProblems: readonly string[] = [];
  block: Block | null = null;
  /** Kinds that no live node can run, according to the status. */
  unserved: readonly string[] = [];
  readonly nodes: NodeStatus[] = [fakeNode("test")];
  isDraining = false;
  /** Waits until the test releases them. */
  readonly waits: ((instance: Instance | null) => void)[] = [];
  readonly #listeners = new Set<(event: ManagerEvent) => void>();
  #workers = 4;

  add(options: Partial<Instance> = {}): Instance {
    const instance = fakeInstance(this.instances.size + 1, options);
    this.instances.set(instance.id, instance);
    return instance;
  }

  /** Change an instance and notify the listeners. */
  move(instance: Instance, state: JobState, options: Partial<Instance> = {}): Instance {
    const settledAt = isFinal(state) ? START + 1_000 : null;
    const moved = { ...instance, state, settledAt, ...options };
    this.instances.set(moved.id, moved);
    for (const listener of this.#listeners) {
      listener({ type: "state", instance: moved, state, at: START + 1_000 });
      if (isFinal(state)) {
        listener({ type: "attempt", instance: moved, durationMs: 20, outcome: state });
      }
    }
    return moved;
  }

  listJobs = () => [...this.jobs.values()];

  getJob(kind: string): JobDefinition {
    const job = this.jobs.get(kind);
    if (job) return job;
    throw new JobError("not_found", `Cannot find job "${kind}": no such kind`, {
      hint: `Known kinds: ${[...this.jobs.keys()].join(", ")}`,
      path: "kind",
    });
  }

  readonly reported: { readonly kind: string; readonly run: ReportedRun }[] = [];

  reportRun: ManagerApi["reportRun"] = async (kind, run) => {
    this.getJob(kind);
    this.reported.push({ kind, run });
    return this.add({ kind });
  };

  ping: ManagerApi["ping"] = async (key, kind, run) => {
    const isShared = key === "shared-key-for-all-jobs";
    const found = kind !== null ? isShared && kind : /^key-of-(.*)-with-20ch$/.exec(key)?.[1];
    if (!found || !this.jobs.has(found)) return false;
    await this.reportRun(found, run);
    return true;
  };

  pingKeyHashes: ManagerApi["pingKeyHashes"] = async () => {
    const keys = [...this.jobs.keys()].map((kind) => `key-of-${kind}-with-20ch`);
    const hash = (key: string) => createHash("sha256").update(key).digest("hex");
    return new Set([...keys, "shared-key-for-all-jobs"].map(hash));
  };

  readonly delivered: (HookDelivery & { readonly kind: string })[] = [];
  /** Thrown by {@link deliver}, as long as it is set. */
  deliverError: JobError | null = null;

  hooks = () =>
    new Map(this.listJobs().flatMap(({ kind, hook }) => hook ? [[kind, hook] as const] : []));

  deliver: ManagerApi["deliver"] = async (kind, delivery) => {
    if (this.deliverError) throw this.deliverError;
    const before = this.delivered.find(({ id }) => id !== null && id === delivery.id);
    if (!before) this.delivered.push({ kind, ...delivery });
    return { id: delivery.id ?? this.add({ kind }).id, isNew: !before };
  };

  siteUrl = () => "https://jobs.example/";

  readonly sessions = memorySessions(systemClock);
  pingKeys: ManagerApi["pingKeys"] = async (kind) => {
    this.getJob(kind);
    return { key: `key-of-${kind}`, sharedKey: "shared-key" };
  };

  scheduleJob: ManagerApi["scheduleJob"] = async (kind, options = {}) => {
    this.getJob(kind);
    this.scheduled.push({ kind, options });
    return this.add({
      kind,
      argumentsJson: JSON.stringify(options.arguments ?? []),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
    });
  };

  scheduleBatch: ManagerApi["scheduleBatch"] = async (requests, { isDryRun } = {}) => ({
    instances: isDryRun ? [] : await Promise.all(
      requests.map(({ kind, ...options }) => this.scheduleJob(kind, options)),
    ),
    existing: isDryRun ? requests.filter(({ id = "" }) => this.instances.has(id)).length : 0,
  });

  previewJob: ManagerApi["previewJob"] = (kind, options = {}) => ({
    kind: this.getJob(kind).kind,
    argumentsJson: JSON.stringify(options.arguments ?? []),
    priority: options.priority ?? 5,
    dueAt: START,
  });

  scheduleRecurring: ManagerApi["scheduleRecurring"] = async (kind, options) => ({
    id: "019b77c0-0000-7000-8000-aaaaaaaaaaaa",
    kind: this.getJob(kind).kind,
    origin: "runtime",
    spec: {
      cron: options.cron,
      everyMs: null,
      timezone: options.timezone ?? "UTC",
      overlap: options.overlap ?? "skip",
      misfire: options.misfire ?? "latest",
      misfireWithinMs: 1,
      jitterMs: options.jitterMs ?? 0,
    },
    specHash: "hash",
    generation: 1,
    cursor: START,
    startAt: START,
    nextAt: START + 60_000,
    argumentsJson: JSON.stringify(options.arguments ?? []),
    priority: null,
    timeoutMs: null,
    retryMax: null,
    createdAt: START,
    updatedAt: START,
  });

  listSchedules: ManagerApi["listSchedules"] = async () => ({
    items: [await this.scheduleRecurring("echo", { cron: "0 6 * * *" })],
    nextToken: null,
  });

  runSchedule: ManagerApi["runSchedule"] = ({ kind }) => this.scheduleJob(kind);

  skipTicks: ManagerApi["skipTicks"] = async ({ kind }, { until, count }) => [{
    ...await this.scheduleRecurring(kind, { cron: "0 6 * * *" }),
    skipUntil: until,
    skipNext: count,
  }];

  backfill: ManagerApi["backfill"] = async ({ kind, from, to, dryRun }) => ({
    count: 1,
    first: from,
    last: to - 1,
    instances: dryRun ? [] : [await this.scheduleJob(kind)],
  });

  explain: ManagerApi["explain"] = async (query) => {
    this.explained.push(query);
    const { kind = "echo", at = START } = query;
    return [{
      schedule: await this.scheduleRecurring(kind, { cron: "0 6 * * *" }),
      kind,
      at,
      outcome: "skipped",
      reason: "overlap",
      rule: '"0 6 * * *" in UTC',
      timezone: "UTC",
      why: "It was skipped: a run before it had not ended",
      instance: null,
      decidedAt: at + 1,
      previousAt: null,
      nextAt: null,
    }];
  };

  forecast: ManagerApi["forecast"] = async () => ({
    ...{ from: START, to: START + 60_000, entries: [], bounds: [START, START + 60_000] },
    ...{ densities: [], waiting: 0, isEstimate: false, leftOut: [] },
  });

  calendar: ManagerApi["calendar"] = async ({ timezone = "UTC" } = {}) => ({
    ...{ timezone, cells: [], gapsFrom: null, leftOut: 0 },
  });

  lookupTimeline: ManagerApi["lookupTimeline"] = async () => ({
    ...{ from: START, to: START + 60_000, runs: [...this.instances.values()], gaps: [] },
    ...{ gapsFrom: null, bounds: [START, START + 60_000], counts: [], total: 0 },
    isEstimate: false,
  });

  listPauses: ManagerApi["listPauses"] = async () => [];

  readonly incidents: Incident[] = [];
  readonly silences: Silence[] = [];
  readonly channels: ChannelSummary[] = [];

  listIncidents: ManagerApi["listIncidents"] = async ({ kind, jobs, withClosed }) => ({
    items: this.incidents.filter(({ subject: { type, name }, closedAt }) => {
      const isJob = type === "job" && (jobs === undefined || includesKind(jobs, name));
      if (kind !== undefined && name !== kind) return false;
      return (jobs === undefined || isJob) && (closedAt === null || withClosed === true);
    }),
    nextToken: null,
  });

  acknowledgeIncident: ManagerApi["acknowledgeIncident"] = async (
    { type, name },
    { by, isUndo = false, isClose = false },
  ) => {
    const index = this.incidents.findIndex(({ subject }) =>
      subject.type === type && subject.name === name
    );
    const found = this.incidents[index];
    if (!found) throw new JobError("not_found", `Cannot acknowledge "${type}:${name}"`);
    if (isClose) {
      const closed = { ...found, closedAt: START, closedReason: `closed by ${by}` };
      this.incidents[index] = closed;
      return { incident: closed, isChanged: true };
    }
    const isChanged = (found.acknowledgedAt === null) !== isUndo;
    const after = isUndo
      ? { acknowledgedBy: null, acknowledgedAt: null }
      : { acknowledgedBy: by, acknowledgedAt: START };
    const incident = isChanged ? { ...found, ...after } : found;
    this.incidents[index] = incident;
    return { incident, isChanged };
  };

  silence: ManagerApi["silence"] = async (kind, { until, reason = "", by }) => {
    if (kind !== null) this.getJob(kind);
    const silence = { kind, since: START, until, reason, by };
    this.silences.push(silence);
    return silence;
  };

  removeSilence: ManagerApi["removeSilence"] = async (kind) => {
    const index = this.silences.findIndex((one) => one.kind === kind);
    return index >= 0 && this.silences.splice(index, 1).length > 0;
  };

  listSilences: ManagerApi["listSilences"] = async () => this.silences;
  listChannels: ManagerApi["listChannels"] = () => this.channels;
  testNotice: ManagerApi["testNotice"] = async (channel, { isDryRun }) => ({
    channel,
    text: "POST /hook",
    isSent: !isDryRun,
  });

  getSchedule: ManagerApi["getSchedule"] = async (id) => ({
    ...await this.scheduleRecurring("echo", { cron: "0 6 * * *" }),
    id,
  });

  updateSchedule: ManagerApi["updateSchedule"] = async (id, options) => ({
    ...await this.scheduleRecurring("echo", {
      cron: "0 6 * * *",
      ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)),
    }),
    id,
  });

  deleteSchedule: ManagerApi["deleteSchedule"] = (id) =>
    Promise.reject(
      new JobError("conflict", `Cannot delete schedule "${id}": it belongs to the configuration`),
    );

  getInstance: ManagerApi["getInstance"] = async (id) => {
    const found = [...this.instances.values()].filter((one) => one.id.startsWith(id));
    if (found.length === 1) return found[0]!;
    if (found.length === 0) {
      throw new JobError("not_found", `Cannot find instance "${id}": no such instance`);
    }
    throw new JobError("invalid_argument", `Cannot choose instance "${id}": ${found.length} match`);
  };

  /** What is due next. */
  upcomingRuns: UpcomingRun[] = [];

  upcoming: ManagerApi["upcoming"] = async ({ kinds, limit }) => {
    const runs = this.upcomingRuns.filter(({ kind }) => kinds?.includes(kind) ?? true);
    return { runs: runs.slice(0, limit), hasMore: runs.length > limit };
  };

  countUpTo: ManagerApi["countUpTo"] = async (query, max) => {
    const { length } = [...this.instances.values()].filter((one) => matches(one, query));
    return { count: Math.min(length, max), hasMore: length > max };
  };

  jobStats: ManagerApi["jobStats"] = async ({ kind, from, to }) => {
    this.getJob(kind);
    const counts = { completed: 3, terminated: 1, canceled: 0, timedOut: 0, unfinished: 2 };
    const durations = { runs: 3, p50Ms: 20, p90Ms: 30.5, maxMs: 40 };
    return {
      ...{
        from,
        to,
        buckets: [{ from, counts, durations }, { from: to - 1, counts, durations: null }],
      },
      ...{ totals: { from, counts, durations }, isEstimate: false, successRate: 0.75 },
      ...{ lastSuccessAt: START, lastFailureAt: null, last: [fakeInstance(1)] },
      failures: [{ error: "no paper", count: 1, lastAt: START, lastId: fakeInstance(1).id }],
      usual: { p50Ms: 20, p99Ms: 40 },
    };
  };

  lookupInstances: ManagerApi["lookupInstances"] = async (query, page = { limit: 1_000 }) => {
    const from = Number(page.token ?? 0);
    const all = [...this.instances.values()].filter((one) => matches(one, query));
    const items = all.slice(from, from + page.limit);
    const next = from + items.length;
    return { items, nextToken: next < all.length ? String(next) : null };
  };

  lookupInstanceHistory: ManagerApi["lookupInstanceHistory"] = async ({ instanceId }) => ({
    items: [{
      instanceId: instanceId ?? "",
      kind: "echo",
      state: "created",
      at: START,
      reason: null,
      attempt: 0,
      fence: 0,
      node: null,
    }],
    nextToken: null,
  });

  lookupInstanceLogs: ManagerApi["lookupInstanceLogs"] = async ({ instanceId, level }) => ({
    items: [{
      instanceId: instanceId ?? "",
      kind: "echo",
      at: START,
      level: level ?? "info",
      message: "a line",
      source: "stdout",
      attempt: 1,
      fence: 1,
      seq: 1,
    }],
    nextToken: null,
  });

  cancelInstances: ManagerApi["cancelInstances"] = async (query, options) => {
    this.canceled.push({ query, all: options?.all ?? false });
    return [...this.instances.values()]
      .filter((one) => matches(one, query) && !isFinal(one.state))
      .map((one) => this.move(one, "canceled", { reason: "canceled" }));
  };

  retryInstance: ManagerApi["retryInstance"] = async (id, { arguments: input = [] } = {}) =>
    this.add({
      retryOf: (await this.getInstance(id)).id,
      argumentsJson: JSON.stringify(input),
    });

  signalInstance: ManagerApi["signalInstance"] = async (target, name, options) => {
    this.signals.push({ target, name, ...options });
    const instance = typeof target === "object" && "id" in target
      ? await this.getInstance(target.id)
      : [...this.instances.values()][0]!;
    return { status: "woke", instance };
  };

  listSteps: ManagerApi["listSteps"] = async (id) => {
    await this.getInstance(id);
    return this.steps;
  };

  freezeInstance: ManagerApi["freezeInstance"] = async (id, options) => {
    this.frozen.push({ id, ...options });
    return { instance: await this.getInstance(id), changed: true };
  };

  redriveInstances: ManagerApi["redriveInstances"] = async (query, options) => {
    this.redriven.push({ query, ...options });
    return [...this.instances.values()]
      .filter((one) => matches(one, query) && isDeadState(one.state))
      .map((one) => this.add({ retryOf: one.id }));
  };

  clearInstanceHistory: ManagerApi["clearInstanceHistory"] = async () => 0;
  clearInstanceLogs: ManagerApi["clearInstanceLogs"] = async () => 0;

  workers = () => ({ count: this.#workers, busy: 1, alive: 2 });

  resizeWorkers: ManagerApi["resizeWorkers"] = async (count) => {
    this.#workers = count;
    return this.workers();
  };

  reloadConfig: ManagerApi["reloadConfig"] = async ({ force = false } = {}) => ({
    ...{ jobs: this.jobs.size, added: 1, changed: 2, removed: force ? 3 : 0 },
    restart: ["store"],
    problems: ["config.toml:3:9: worker.count: found 0, wanted 1 or more"],
    changes: [],
    moreChanges: 0,
  });

  readonly daemon: ManagerApi["daemon"] = {
    stop: () => ({ node: "vm", running: 1, drainMs: 30_000 }),
    upgrade: async () => ({ node: "vm", version: "9.0.0", waiting: 1, drainMs: 30_000 }),
  };

  config: ManagerApi["config"] = () => ({
    file: "/etc/jobctl/config.toml",
    settings: [
      { path: "worker.count", value: "4", origin: "/etc/jobctl/config.toml:3" },
      { path: "server.port", value: "59051", origin: null },
    ],
    hasMore: false,
    restart: ["server"],
    problems: ["config.toml:3:9: worker.count: found 0, wanted 1 or more"],
  });

  storeContent: ManagerApi["storeContent"] = async () => ({
    ...{ type: "sqlite", location: "/var/lib/jobs.db", id: "s", epoch: 3, format: 1 },
    ...{ is_durable: true, mark: null, instances: 3, kinds: 1, schedules: 2, pauses: 0 },
    states: {
      ...{ created: 0, scheduled: 1, processing: 0, completed: 2, terminated: 0, canceled: 0 },
      timed_out: 0,
    },
    ...{ oldest_at: "2026-01-01T00:00:00.000Z", backup_at: null },
    ...{ bytes: 8_192, free_bytes: 0, wal_bytes: null },
  });

  kindsOfTag: ManagerApi["kindsOfTag"] = async (tag, patterns = ["*"]) => {
    const jobs = [...this.jobs.values()].filter(({ kind }) => includesKind(patterns, kind));
    return kindsNeeding(tag, jobs.map(({ kind, options: { needs } }) => ({ kind, needs })));
  };

  unservedKinds: ManagerApi["unservedKinds"] = async (kinds) =>
    new Map(
      [...kinds].filter((kind) => !this.jobs.has(kind)).map((kind) => [kind, unservedBlock(kind)]),
    );

  /** By the id of the instance. */
  readonly processes = new Map<string, RunningProcess>();

  processesOf: ManagerApi["processesOf"] = async (ids) => {
    const wanted = new Set(ids);
    return new Map([...this.processes].filter(([id]) => wanted.has(id)));
  };

  listNodes: ManagerApi["listNodes"] = async () => this.nodes;

  resizeNode: ManagerApi["resizeNode"] = async (id, count) => {
    const index = this.nodes.findIndex((node) => node.id === id);
    if (index < 0) throw new JobError("not_found", `Cannot resize node "${id}": it is not live`);
    return this.nodes[index] = { ...this.nodes[index]!, wantedWorkers: count };
  };

  pause: ManagerApi["pause"] = async (kind) => ({ kind, until: null, reason: "", at: START });
  resume: ManagerApi["resume"] = async () => false;

  status: ManagerApi["status"] = async () => {
    this.statusCount += 1;
    const kinds = new Map<string, Record<JobState, number>>();
    for (const { kind, state } of this.instances.values()) {
      const counts = kinds.get(kind) ?? noCounts();
      counts[state] += 1;
      kinds.set(kind, counts);
    }
    return {
      node: "test",
      version: this.version,
      startedAt: START,
      isDraining: this.isDraining,
      storeProblem: this.storeProblem,
      reloadProblem: this.reloadProblem,
      listenerProblems: this.listenerProblems,
      store: {
        type: "memory",
        location: "memory",
        storeId: "",
        epoch: 1,
        format: 1,
        isDurable: false,
        recovered: [],
      },
      workers: this.workers(),
      nodes: await this.listNodes(),
      stats: { kinds: kinds as ReadonlyMap<string, StateCounts>, schedules: 1 },
      blocks: this.unserved.map((kind) => unservedBlock(kind)),
      disabled: new Map(),
      pauses: [],
      nextScheduleAt: START + 60_000,
      nextRunAt: START + 120_000,
    };
  };

  blockOf: ManagerApi["blockOf"] = async () => this.block;

  waitInstance: ManagerApi["waitInstance"] = async (id, timeoutMs) => {
    const instance = await this.getInstance(id);
    if (isFinal(instance.state)) return instance;
    if (timeoutMs === 0) return null;
    return await new Promise((resolve) => this.waits.push(resolve));
  };

  follow: ManagerApi["follow"] = async function* () {
    yield { entries: [], cursor: "end", instance: null, changed: [], hasMissed: false };
  };

  workOnStore: ManagerApi["workOnStore"] = async function* (work) {
    yield { type: "progress", text: `${work.type} begins` };
    if (work.type === "backup") yield { type: "chunk", bytes: new Uint8Array([1, 2, 3]) };
    yield { type: "report", report: { work: work.type } };
  };

  subscribe: ManagerApi["subscribe"] = (listener) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
}

function noCounts(): Record<JobState, number> {
  return {
    created: 0,
    scheduled: 0,
    processing: 0,
    completed: 0,
    terminated: 0,
    canceled: 0,
    timedOut: 0,
  };
}

function matches(instance: Instance, query: InstanceQuery): boolean {
  return (query.ids?.includes(instance.id) ?? true) &&
    (query.kinds?.includes(instance.kind) ?? true) &&
    (query.states?.includes(instance.state) ?? true);
}
