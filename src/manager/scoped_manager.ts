import { isJobError, JobError } from "../core/errors.ts";
import { assertCondition } from "../core/job/instance_filter.ts";
import type { InstanceQuery } from "../store/store.ts";
import type { ManagerApi, ManagerStatus, NodeStatus } from "./api.ts";
import type { Scope } from "./scope.ts";
import { scheduleInScope, ScopedQueries, scopedReads } from "./scoped_reads.ts";

/**
 * The manager for a caller limited to jobs whose kind matches one of `patterns`.
 *
 * Other jobs are refused by name. Their instances and schedules are invisible: they are in no list,
 * count or report, and their ids are unknown. Actions that affect other jobs are refused: workers,
 * the store, pausing everything, and the logs of all jobs at once.
 */
export function scopedManager(manager: ManagerApi, patterns: readonly string[]): ManagerApi {
  const kinds = async () => {
    const { stats } = await manager.status();
    return [...stats.kinds.keys(), ...manager.listJobs().map(({ kind }) => kind)];
  };
  const queries = new ScopedQueries(manager, kinds, patterns);
  return {
    ...scopedReads(queries),
    ...instanceRules(manager, queries),
    ...scheduleRules(manager, queries.scope),
    ...noticeRules(manager, queries.scope),
    ...nodeRules(manager, queries.scope),
  };
}

function instanceRules(manager: ManagerApi, queries: ScopedQueries) {
  const { scope } = queries;
  return {
    listJobs: () => manager.listJobs().filter(scope.has),
    getJob(kind) {
      scope.check(kind);
      return manager.getJob(kind);
    },
    async scheduleJob(kind, ...rest) {
      scope.check(kind);
      return await withoutHolder(kind, manager.scheduleJob(kind, ...rest));
    },
    async scheduleBatch(requests, options) {
      for (const { kind } of requests) scope.check(kind);
      return await withoutHolder(null, manager.scheduleBatch(requests, options));
    },
    reportRun: ofKind(scope, (...args) => manager.reportRun(...args)),
    ping: async () => scope.refuse("ping jobs"),
    hooks: () => scope.refuse("read the hooks"),
    deliver: async () => scope.refuse("deliver to hooks"),
    pingKeyHashes: async () => scope.refuse("read the ping keys of jobs"),
    pingKeys: async (kind) => scope.refuse(`show the ping keys of job "${kind}"`),
    previewJob(kind, options) {
      scope.check(kind);
      return manager.previewJob(kind, options);
    },
    async cancelInstances(query, options) {
      const narrowed = await narrowMany(queries, query, options?.all === true, "cancel");
      if (narrowed === null) return [];
      return await manager.cancelInstances(narrowed, { mayCancelNotices: false });
    },
    retryInstance: async (id, options) =>
      await manager.retryInstance((await queries.getInstance(id)).id, options),
    async signalInstance(target, name, options) {
      if (typeof target === "object" && "kind" in target) {
        scope.check(target.kind);
        return await manager.signalInstance(target, name, options);
      }
      const { id } = await queries.getInstance(typeof target === "string" ? target : target.id);
      return await manager.signalInstance({ id }, name, options);
    },
    listSteps: async (id) => await manager.listSteps((await queries.getInstance(id)).id),
    freezeInstance: async (id, options) =>
      await manager.freezeInstance((await queries.getInstance(id)).id, options),
    async redriveInstances(query, options) {
      const narrowed = await narrowMany(queries, query, options?.all === true, "redrive");
      if (narrowed === null) return [];
      return await manager.redriveInstances(narrowed, { isForced: options?.isForced });
    },
    clearInstanceHistory: async () => scope.refuse("clear the history"),
    clearInstanceLogs: async () => scope.refuse("clear the logs"),
    waitInstance: async (id, timeoutMs) =>
      await manager.waitInstance((await queries.getInstance(id)).id, timeoutMs),
    subscribe: () => scope.refuse("listen to all events"),
  } satisfies Partial<ManagerApi>;
}

function scheduleRules(manager: ManagerApi, scope: Scope) {
  return {
    scheduleRecurring: ofKind(scope, (...args) => manager.scheduleRecurring(...args)),
    async updateSchedule(id, change) {
      await scheduleInScope(manager, scope, { id, action: "update" });
      return await manager.updateSchedule(id, change);
    },
    async deleteSchedule(id) {
      await scheduleInScope(manager, scope, { id, action: "delete" });
      await manager.deleteSchedule(id);
    },
    async runSchedule(target) {
      scope.check(target.kind);
      return await withoutHolder(target.kind, manager.runSchedule(target));
    },
    async skipTicks(target, what) {
      scope.check(target.kind);
      return (await manager.skipTicks(target, what)).filter(scope.has);
    },
    async backfill(request) {
      scope.check(request.kind);
      return await manager.backfill(request);
    },
    pause: ofKind(scope, (...args) => manager.pause(...args), "pause everything"),
    resume: ofKind(scope, (...args) => manager.resume(...args), "resume everything"),
  } satisfies Partial<ManagerApi>;
}

// Incidents of nodes, the store, the daemon and channels concern all jobs: they are invisible.
function noticeRules(manager: ManagerApi, scope: Scope) {
  return {
    async listIncidents(query, page) {
      if (query.kind !== undefined) scope.check(query.kind);
      return await manager.listIncidents({ ...query, jobs: scope.patterns }, page);
    },
    async acknowledgeIncident(subject, options) {
      if (subject.type !== "job") {
        scope.refuse(`acknowledge what is about a ${subject.type}`);
      }
      scope.check(subject.name);
      return await manager.acknowledgeIncident(subject, options);
    },
    silence: ofKind(scope, (...args) => manager.silence(...args), "silence everything"),
    removeSilence: ofKind(
      scope,
      (...args) => manager.removeSilence(...args),
      "end the silence of everything",
    ),
    // A silence of everything also concerns these jobs.
    listSilences: async () =>
      (await manager.listSilences()).filter(({ kind }) => kind === null || scope.allows(kind)),
    // Their patterns name other jobs.
    listChannels: () => scope.refuse("list the channels"),
    testNotice: async () => scope.refuse("test a channel"),
  } satisfies Partial<ManagerApi>;
}

function nodeRules(manager: ManagerApi, scope: Scope) {
  return {
    version: manager.version,
    siteUrl: () => manager.siteUrl(),
    // Each call names the owner of its sessions.
    sessions: manager.sessions,
    listNodes: async () => (await manager.listNodes()).map((node) => nodeOf(node, scope)),
    workers: () => manager.workers(),
    status: async () => statusOf(await manager.status(), scope),
    resizeNode: async () => scope.refuse("change the workers of a node"),
    resizeWorkers: async () => scope.refuse("change the workers"),
    reloadConfig: async () => scope.refuse("reload the configuration"),
    daemon: {
      stop: () => scope.refuse("stop the daemon"),
      upgrade: async () => scope.refuse("upgrade the daemon"),
    },
    config: () => scope.refuse("list the configuration"),
    storeContent: async () => scope.refuse("describe the store"),
    // deno-lint-ignore require-yield
    async *workOnStore() {
      scope.refuse("work on the store");
    },
  } satisfies Partial<ManagerApi>;
}

/** A method that names a job in its first argument; null means all of them, which is refused. */
function ofKind<Kind extends string | null, Args extends readonly unknown[], Result>(
  scope: Scope,
  call: (kind: Kind, ...args: Args) => Promise<Result>,
  everything = "",
) {
  return async (kind: Kind, ...args: Args): Promise<Result> => {
    if (kind === null) scope.refuse(everything);
    scope.check(kind);
    return await call(kind, ...args);
  };
}

function nodeOf(node: NodeStatus, scope: Scope): NodeStatus {
  const allowed = (kinds: readonly string[]) => kinds.filter((kind) => scope.allows(kind));
  return { ...node, kinds: allowed(node.kinds), idle: allowed(node.idle) };
}

// Field by field, so that a new field is hidden until considered.
function statusOf(status: ManagerStatus, scope: Scope): ManagerStatus {
  const { node, version, startedAt, isDraining, storeProblem, store, workers } = status;
  return {
    node,
    version,
    startedAt,
    isDraining,
    storeProblem,
    workers,
    store: { ...store, recovered: [] },
    // They may name any job, so they are omitted.
    reloadProblem: null,
    upgradeProblem: null,
    listenerProblems: [],
    stats: {
      kinds: new Map([...status.stats.kinds].filter(([kind]) => scope.allows(kind))),
      // These exist only as totals over all jobs.
      schedules: 0,
    },
    nextScheduleAt: null,
    nextRunAt: null,
    nodes: status.nodes.map((each) => nodeOf(each, scope)),
    blocks: status.blocks.filter(scope.hasBlock),
    pauses: status.pauses.filter(({ kind }) => kind === null || scope.allows(kind)),
    disabled: new Map([...status.disabled].filter(([kind]) => scope.allows(kind))),
  };
}

/** The same query restricted to the caller's instances; null if there can be none. */
async function narrowMany(
  queries: ScopedQueries,
  query: InstanceQuery,
  isAll: boolean,
  action: string,
): Promise<InstanceQuery | null> {
  assertCondition(query, isAll, action);
  if (query.ids !== undefined) await queries.assertInstances(query.ids, action);
  const kinds = await queries.kindsOf(query);
  return kinds.length === 0 ? null : { ...query, kinds };
}

/** The error for an id or unique key in use names its holder, perhaps of another job. */
async function withoutHolder<T>(kind: string | null, scheduled: Promise<T>): Promise<T> {
  try {
    return await scheduled;
  } catch (error) {
    if (!isJobError(error, "already_exists")) throw error;
    throw new JobError(
      "already_exists",
      `Cannot schedule ${
        kind === null ? "the batch" : `job "${kind}"`
      }: the id or the unique key is already in use`,
      { path: error.path, hint: "Choose another one" },
    );
  }
}
