import { type Instance, isUuid } from "../../core/instance.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { ManagerApi, ScheduleOptions, SignalReport } from "../../manager/api.ts";
import { parseScheduleText } from "../../core/time/ticks.ts";
import {
  hookToWire,
  instanceToWire,
  jobToWire,
  nodeToWire,
  previewToWire,
  scheduleToWire,
  statusToWire,
  stepToWire,
  storeToWire,
} from "../messages/convert.ts";
import { fitInstances, fitNodes } from "../messages/fit.ts";
import { jobNoticesToWire } from "../messages/notice_messages.ts";
import { type CallState, type Handlers, textLengthMax } from "./handler.ts";
import { noticeHandlers } from "./notice_handlers.ts";
import { readHandlers } from "./read_handlers.ts";
import { recurringHandlers } from "./recurring_handlers.ts";
import { sessionHandlers } from "./session_handlers.ts";
import { ITEMS_MAX } from "../limits.ts";
import {
  readBulkQuery,
  readMs,
  readName,
  readUuidPart,
  refuse,
  textOf,
} from "../messages/requests.ts";
import {
  readBatchEntry,
  readRecurringOptions,
  readReport,
  readRetryOptions,
  readScheduleOptions,
} from "../messages/schedule_requests.ts";
import type { JobSchema, ScheduleJobRequest, SignalInstanceRequest } from "../gen/job_pb.ts";
import { waitResponse } from "../messages/wait_response.ts";
import type { WireRecord } from "../messages/wire_record.ts";

/** Version of the wire contract, as go-job's clients print it. */
const API_VERSION = "v1";

/** Longest wait of one WaitInstance call; clients repeat the call. */
const WAIT_MAX_MS = 60_000;
/** Time for which a wait may outlive its client. */
const WAIT_SLICE_MS = 5_000;

/** All jobs in one message, without signatures if brief. */
function jobsToWire(
  jobs: readonly JobDefinition[],
  call: CallState,
): WireRecord<typeof JobSchema>[] {
  if (!call.isBrief) return jobs.map(jobToWire);
  return jobs.map((job) => ({
    ...jobToWire({ ...job, description: job.description?.slice(0, textLengthMax(call)) }),
    signatureJson: "",
    usage: "",
    limits: [],
  }));
}

/** Most items of a response; `total` without a limit. */
function readLimit(limit: number | undefined, total: number): number {
  if (limit === undefined) return total;
  if (limit >= 1 && limit <= ITEMS_MAX) return limit;
  throw refuse("limit", `found ${limit}, wanted 1 to ${ITEMS_MAX}`);
}

async function schedule(manager: ManagerApi, request: ScheduleJobRequest) {
  const kind = readName(request.kind, "kind");
  const isDryRun = request.dryRun === true;
  if (request.cron === undefined || request.cron === "") {
    const options = readScheduleOptions(request);
    if (isDryRun) return { instance: await dryRun(manager, kind, options) };
    return { instance: instanceToWire(await manager.scheduleJob(kind, options)) };
  }
  const { cron, timezone, ...options } = readRecurringOptions(request);
  if (!isDryRun) {
    const record = await manager.scheduleRecurring(kind, { cron, timezone, ...options });
    return { schedule: scheduleToWire(record) };
  }
  const preview = manager.previewJob(kind, {
    arguments: options.arguments,
    priority: options.priority,
  });
  const text = parseScheduleText(cron, { seed: kind });
  const wire = { kind, cron, timezone: timezone ?? text.timezone ?? "" };
  return { instance: { ...previewToWire(preview), dueAt: null }, schedule: wire };
}

/** The instance that a dry run would queue; with its id if it exists already. */
async function dryRun(manager: ManagerApi, kind: string, options: ScheduleOptions) {
  const wire = previewToWire(manager.previewJob(kind, options));
  if (options.id === undefined) return wire;
  const { existing } = await manager.scheduleBatch([{ kind, ...options }], { isDryRun: true });
  return existing === 0 ? wire : { ...wire, uuid: options.id };
}

async function sendSignal(
  manager: ManagerApi,
  request: SignalInstanceRequest,
  by: string,
): Promise<SignalReport> {
  const { uuid, kind, uniqueKey, valueJson, signalId } = request;
  const value = valueJson === undefined ? null : readJson(valueJson, "value_json");
  const name = readName(request.name, "name");
  const options = { value, signalId: textOf(signalId), by };
  if (textOf(uuid) !== undefined) {
    const id = await resolveId(manager, uuid!);
    return await manager.signalInstance({ id }, name, options);
  }
  const target = { kind: readName(kind ?? "", "kind"), uniqueKey: uniqueKey ?? "" };
  if (target.uniqueKey === "") throw refuse("unique_key", "it is empty, wanted the key");
  return await manager.signalInstance(target, name, options);
}

function readJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse(path, "it is not JSON");
  }
}

async function resolveId(manager: ManagerApi, uuid: string): Promise<string> {
  const id = readUuidPart(uuid, "uuid");
  return isUuid(id) ? id : (await manager.getInstance(id)).id;
}

/**
 * Wait in slices, so that a wait ends soon after its client has disconnected.
 *
 * @returns the final instance, or the id if the wait ended first
 */
async function wait(
  manager: ManagerApi,
  request: { readonly uuid: string; readonly waitMs: bigint },
  call: CallState,
): Promise<Instance | string> {
  const id = await resolveId(manager, request.uuid);
  let leftMs = Math.min(readMs(request.waitMs, "wait_ms"), WAIT_MAX_MS);
  do {
    const sliceMs = Math.min(leftMs, WAIT_SLICE_MS);
    const instance = await manager.waitInstance(id, sliceMs);
    if (instance) return instance;
    leftMs -= sliceMs;
  } while (leftMs > 0 && !call.isCanceled());
  return id;
}

function bulkToWire(instances: readonly Instance[]) {
  return { instances: fitInstances(instances), count: instances.length };
}

/** Handlers of JobService over `manager`: each converts its request, one call and the result. */
export function createHandlers(manager: ManagerApi): Handlers {
  return {
    getVersion: () => ({ version: manager.version, apiVersion: API_VERSION }),
    listRegisteredJobs({ kindPrefix = "", text = "", limit }, call) {
      call.canBeBrief = true;
      const all = manager.listJobs();
      const wanted = text.toLowerCase();
      const found = all.filter(({ kind, description = "" }) =>
        kind.startsWith(kindPrefix) &&
        (kind.toLowerCase().includes(wanted) || description.toLowerCase().includes(wanted))
      );
      const jobs = jobsToWire(found.slice(0, readLimit(limit, found.length)), call);
      return { jobs, matching: found.length, total: all.length };
    },
    getJob({ kind }) {
      const job = manager.getJob(readName(kind, "kind"));
      const notices = jobNoticesToWire(job.options);
      return { job: { ...jobToWire(job), notices, hook: hookToWire(job, manager.siteUrl()) } };
    },
    scheduleJob: (request) => schedule(manager, request),
    async scheduleJobs({ requests }) {
      if (requests.length > ITEMS_MAX) {
        throw refuse("requests", `found ${requests.length}, wanted at most ${ITEMS_MAX}`);
      }
      const isDryRun = requests.length > 0 && requests.every(({ dryRun }) => dryRun);
      const batch = requests.map((request, index) => readBatchEntry(request, index, isDryRun));
      const { instances, existing } = await manager.scheduleBatch(batch, { isDryRun });
      return { instances: fitInstances(instances), existing };
    },
    async cancelInstances(request, { caller: { isAdmin } }) {
      const conditions = await readBulkQuery("cancel", request, manager);
      const options = { all: request.all ?? false, mayCancelNotices: isAdmin };
      return bulkToWire(await manager.cancelInstances(conditions, options));
    },
    async waitInstance(request, call) {
      return waitResponse(await wait(manager, request, call));
    },
    async retryInstance(request) {
      const options = readRetryOptions(request);
      const id = await resolveId(manager, request.uuid);
      return { instance: instanceToWire(await manager.retryInstance(id, options)) };
    },
    async signalInstance(request, { caller }) {
      const { status, instance } = await sendSignal(manager, request, caller.name);
      return { status, instance: instanceToWire(instance) };
    },
    async listSteps({ uuid }) {
      return { steps: (await manager.listSteps(await resolveId(manager, uuid))).map(stepToWire) };
    },
    async freezeInstance({ uuid, thaw, reason }) {
      const id = await resolveId(manager, uuid);
      const options = withoutUndefined({ thaw, reason: textOf(reason) });
      const { instance, changed } = await manager.freezeInstance(id, options);
      return { instance: instanceToWire(instance), changed };
    },
    async redriveInstances(request) {
      const conditions = await readBulkQuery("redrive", request, manager);
      const { all = false, force: isForced = false } = request;
      return bulkToWire(await manager.redriveInstances(conditions, { all, isForced }));
    },
    async deleteSchedule({ id }) {
      await manager.deleteSchedule(readName(id, "id"));
      return {};
    },
    ...readHandlers(manager),
    ...recurringHandlers(manager),
    async reportRun(request) {
      const instance = await manager.reportRun(readName(request.kind, "kind"), readReport(request));
      return { instance: instance === null ? undefined : instanceToWire(instance) };
    },
    getPingKey: ({ kind }) => manager.pingKeys(readName(kind, "kind")),
    ...noticeHandlers(manager),
    ...sessionHandlers(manager),
    getWorkers: () => ({ workers: manager.workers() }),
    async listNodes({ brief }) {
      const nodes = fitNodes(await manager.listNodes());
      return { nodes: brief ? nodes.map((node) => ({ ...node, kinds: [] })) : nodes };
    },
    async resizeWorkers({ count, node }) {
      if (count < 0) throw refuse("count", `found ${count}, wanted 0 or more`);
      if (node === undefined || node === "") {
        return { workers: await manager.resizeWorkers(count) };
      }
      const resized = await manager.resizeNode(readName(node, "node"), count);
      return { workers: manager.workers(), node: nodeToWire(resized) };
    },
    async reloadConfig({ force, dryRun }) {
      const report = await manager.reloadConfig({ force, isDryRun: dryRun });
      const changes = report.changes.map(({ before, after, ...change }) => ({
        ...change,
        beforeJson: before,
        afterJson: after,
      }));
      return { ...report, changes };
    },
    stopDaemon({ node, now }) {
      const { drainMs, ...stop } = manager.daemon.stop({ node: textOf(node), isNow: now });
      return { ...stop, drainMs: BigInt(drainMs) };
    },
    async upgradeDaemon({ node }) {
      const { drainMs, ...report } = await manager.daemon.upgrade({ node: textOf(node) });
      return { ...report, drainMs: BigInt(drainMs) };
    },
    getConfig() {
      const { settings, file, ...rest } = manager.config();
      const shown = settings.map(({ value, ...setting }) => ({ ...setting, valueJson: value }));
      return { ...rest, file: file ?? undefined, settings: shown };
    },
    getStore: async () => storeToWire(await manager.storeContent()),
    async getStatus(_, call) {
      call.canBeBrief = true;
      return statusToWire(await manager.status(), textLengthMax(call));
    },
  };
}
