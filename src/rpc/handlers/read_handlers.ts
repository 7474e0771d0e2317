import type { Instance, RunningProcess } from "../../core/instance.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import type { ReadApi, TickReport } from "../../manager/api.ts";
import type { InstanceQuery, Pause } from "../../store/store.ts";
import { readStatsQuery, statsToWire } from "../messages/job_stats_messages.ts";
import {
  historyToWire,
  instanceToWire,
  listedToWire,
  logToWire,
  processToWire,
} from "../messages/convert.ts";
import { inBrief, withoutPayload, withoutRest } from "../messages/fit.ts";
import type { TickReportSchema } from "../gen/job_pb.ts";
import type { MethodOf } from "../gen/method_rules.ts";
import type { Handlers } from "./handler.ts";
import { schedulesToWire, targetOf } from "./recurring_handlers.ts";
import { timelineHandlers } from "./timeline_handlers.ts";
import { ITEMS_MAX } from "../limits.ts";
import {
  readHistoryQuery,
  readInstanceQuery,
  readLogQuery,
  readMs,
  readPage,
  readSet,
  readTime,
  readUuidPart,
  refuse,
  textOf,
} from "../messages/requests.ts";
import type { WireRecord } from "../messages/wire_record.ts";
import type { BulkAction } from "../../manager/api/instances.ts";

/** Most rows that a request may look at. */
const LOOK_MAX = 100_000;
/** The default of that for a request with a condition without an index. */
const LOOK_DEFAULT = 10_000;
/** Rows whose history is searched for one page. */
const HISTORY_LOOK = 5_000;
/** Default limit of a count. */
const COUNT_DEFAULT = 10_000;

function checkRange(field: string, value: number, max: number): void {
  if (value >= 1 && value <= max) return;
  throw refuse(field, `found ${value}, wanted 1 to ${max}`);
}

/** The action of a count, if it has one. @throws JobError `invalid_argument` */
function readAction(action: string | undefined): [BulkAction?] {
  if (action === undefined || action === "") return [];
  if (action === "cancel" || action === "redrive") return [action];
  throw refuse("action", `found "${action}", wanted "cancel" or "redrive"`);
}

function lookMaxOf(query: InstanceQuery, lookMax: number | undefined): { lookMax?: number } {
  if (lookMax !== undefined) {
    checkRange("look_max", lookMax, LOOK_MAX);
    return { lookMax };
  }
  const { endedAfter, endedBefore, node, text, isDead } = query;
  const isRare = [endedAfter, endedBefore, node, text, isDead].some((one) => one !== undefined);
  return isRare ? { lookMax: LOOK_DEFAULT } : {};
}

/** Default number of next runs. */
const UPCOMING_DEFAULT = 100;

/** A response with more reports omits payloads: nobody reads them for a whole day. */
const REPORTS_WHOLE_MAX = 20;

function reportToWire(
  report: TickReport,
  { pauses, hasPayloads, isBrief }: {
    readonly pauses: readonly Pause[];
    readonly hasPayloads: boolean;
    readonly isBrief: boolean;
  },
): WireRecord<typeof TickReportSchema> {
  const instance = report.instance && !hasPayloads
    ? { ...report.instance, argumentsJson: "[]", resultsJson: null }
    : report.instance;
  const schedule = report.schedule && isBrief
    ? { ...report.schedule, argumentsJson: "[]" }
    : report.schedule;
  return {
    ...report,
    schedule: schedule && schedulesToWire([schedule], pauses)[0],
    instance: instance && instanceToWire(instance),
  };
}

/** Handlers of the methods that only read the store: methods with the effect "read". */
export function readHandlers(manager: ReadApi): Pick<Handlers, MethodOf<"read">> {
  return {
    async lookupInstances({ query, brief, lookMax }, call) {
      const conditions = await readInstanceQuery(query, manager);
      call.canBeBrief = true;
      const look = lookMaxOf(conditions, lookMax);
      const page = { ...readPage(query, "query.", call.pageLimit), ...look };
      const { items, nextToken, lookedTo } = await manager.lookupInstances(conditions, page);
      call.pageItems = items.length;
      const waiting = items.filter(({ state }) => state === "scheduled").map(({ kind }) => kind);
      const unserved = await manager.unservedKinds(new Set(waiting));
      const briefly = brief ? items.map(inBrief) : items;
      const shown = call.isBrief ? briefly.map(withoutPayload) : briefly;
      const processes = await runningProcesses(manager, items);
      const instances = shown.map((instance) => {
        const process = processToWire(processes.get(instance.id));
        return { ...listedToWire(instance, unserved), ...process };
      });
      return { instances, nextPageToken: nextToken, lookedTo };
    },
    async countInstances({ query, max = COUNT_DEFAULT, action }) {
      for (const field of ["pageSize", "pageToken", "oldestFirst"] as const) {
        if (query?.[field] !== undefined) throw refuse("query", "a count has no pages");
      }
      checkRange("max", max, LOOK_MAX);
      const conditions = await readInstanceQuery(query, manager);
      return await manager.countUpTo(conditions, max, ...readAction(action));
    },
    async getJobStats(request, call) {
      const { last, failures, usual, ...stats } = await manager.jobStats(readStatsQuery(request));
      call.canBeBrief = true;
      return statsToWire({ ...stats, last: last.map(inBrief), failures, usual });
    },
    async lookupInstanceHistory({ query }, call) {
      const conditions = readHistoryQuery(query);
      const page = { ...readPage(query, "query.", call.pageLimit), lookMax: HISTORY_LOOK };
      const { items, nextToken } = await manager.lookupInstanceHistory(conditions, page);
      call.pageItems = items.length;
      return { entries: items.map(historyToWire), nextPageToken: nextToken };
    },
    async lookupInstanceLogs(request, call) {
      const conditions = readLogQuery(request);
      call.canBeBrief = true;
      const page = readPage(request.query, "query.", call.pageLimit);
      const { items, nextToken } = await manager.lookupInstanceLogs(conditions, page);
      call.pageItems = items.length;
      const shown = call.isBrief ? items.map(withoutRest) : items;
      return { entries: shown.map(logToWire), nextPageToken: nextToken };
    },
    async getInstance({ uuid, exact = false }, call) {
      call.canBeBrief = true;
      const found = await manager.getInstance(readUuidPart(uuid, "uuid"), { isQuick: !exact });
      const blockedBy = await manager.blockOf(found);
      const processes = await runningProcesses(manager, [found]);
      const shown = call.isBrief ? withoutPayload(found) : found;
      const process = processToWire(processes.get(found.id));
      return { instance: { ...instanceToWire(shown), ...process, blockedBy } };
    },
    async listUpcoming({ kind, limit = UPCOMING_DEFAULT }) {
      checkRange("limit", limit, ITEMS_MAX);
      const name = textOf(kind);
      const found = await manager.upcoming({ limit, ...(name !== undefined && { kinds: [name] }) });
      const runs = found.runs.map((run) => ({ ...run, uuid: run.instanceId }));
      return { runs, hasMore: found.hasMore };
    },
    ...timelineHandlers(manager),
    async listSchedules(request, call) {
      const conditions = request.kind ? { kind: request.kind } : {};
      const page = readPage(request, "", call.pageLimit);
      const { items, nextToken } = await manager.listSchedules(conditions, page);
      call.pageItems = items.length;
      const schedules = schedulesToWire(items, await manager.listPauses());
      return { schedules, nextPageToken: nextToken };
    },
    async explain({ uuid, kind, at, spanMs, limit, scheduleId, before }, call) {
      call.canBeBrief = true;
      const { isBrief } = call;
      const target = textOf(scheduleId) === undefined
        ? { kind: textOf(kind) }
        : await targetOf(manager, { kind: kind ?? "", scheduleId });
      const reports = await manager.explain(withoutUndefined({
        instanceId: textOf(uuid),
        ...target,
        at: readSet(at, readTime, "at"),
        spanMs: readSet(spanMs, readMs, "span_ms"),
        limit,
        before: readSet(before, readTime, "before"),
      }));
      const pauses = await manager.listPauses();
      const hasPayloads = reports.length <= REPORTS_WHOLE_MAX && !isBrief;
      const how = { pauses, hasPayloads, isBrief };
      return { reports: reports.map((report) => reportToWire(report, how)) };
    },
  };
}

/** The processes of the running ones among some instances, by id. */
function runningProcesses(
  reads: Pick<ReadApi, "processesOf">,
  instances: readonly Instance[],
): Promise<ReadonlyMap<string, RunningProcess>> {
  const running = instances.filter(({ state }) => state === "processing");
  return reads.processesOf(running.map(({ id }) => id));
}
