import type { MessageInitShape } from "@bufbuild/protobuf";
import { withoutUndefined } from "../../core/object_keys.ts";
import type { ReadApi, TickReport } from "../../manager/api.ts";
import type { Pause } from "../../store/store.ts";
import {
  blockedToWire,
  historyToWire,
  instanceToWire,
  listedToWire,
  logToWire,
  timestamp,
} from "../messages/convert.ts";
import { withoutPayload, withoutRest } from "../messages/fit.ts";
import type { TickReportSchema } from "../gen/job_pb.ts";
import type { CallState, Handlers } from "./handler.ts";
import { schedulesToWire } from "./recurring_handlers.ts";
import {
  readHistoryQuery,
  readInstanceQuery,
  readLogQuery,
  readMs,
  readPage,
  readSet,
  readTime,
  readUuidPrefix,
  textOf,
} from "../messages/requests.ts";

/** Methods that only read the store, and may read much of it. */
export const READ_METHODS = [
  "lookupInstances",
  "lookupInstanceHistory",
  "lookupInstanceLogs",
  "getInstance",
  "listSchedules",
  "explain",
] as const;

/** One of {@link READ_METHODS}. */
export type ReadMethod = typeof READ_METHODS[number];

/**
 * A response with more reports omits arguments and results of instances: nobody reads the payloads
 * of a whole day.
 */
const REPORTS_WHOLE_MAX = 20;

/**
 * Read one page and note its size, so that an oversized page can be requested again with fewer
 * items.
 */
async function readItems<T>(
  call: CallState,
  fetch: (
    limitMax: number,
  ) => Promise<{ readonly items: readonly T[]; readonly nextToken: string | null }>,
): Promise<{ readonly items: readonly T[]; readonly nextPageToken: string | undefined }> {
  const page = await fetch(call.pageLimit);
  call.pageItems = page.items.length;
  return { items: page.items, nextPageToken: page.nextToken ?? undefined };
}

function reportToWire(
  report: TickReport,
  { pauses, hasPayloads, isBrief }: {
    readonly pauses: readonly Pause[];
    readonly hasPayloads: boolean;
    readonly isBrief: boolean;
  },
): MessageInitShape<typeof TickReportSchema> {
  const instance = report.instance && !hasPayloads
    ? { ...report.instance, argumentsJson: "[]", resultsJson: null }
    : report.instance;
  const schedule = report.schedule && isBrief
    ? { ...report.schedule, argumentsJson: "[]" }
    : report.schedule;
  return {
    kind: report.kind,
    at: timestamp(report.at),
    outcome: report.outcome,
    reason: report.reason ?? undefined,
    rule: report.rule,
    why: report.why,
    schedule: schedule === null ? undefined : schedulesToWire([schedule], pauses)[0],
    instance: instance === null ? undefined : instanceToWire(instance),
    decidedAt: timestamp(report.decidedAt),
    previousAt: timestamp(report.previousAt),
    nextAt: timestamp(report.nextAt),
  };
}

/** Handlers of the methods that only read the store. */
export function readHandlers(manager: ReadApi): Pick<Handlers, ReadMethod> {
  return {
    async lookupInstances({ query }, call) {
      const conditions = readInstanceQuery(query);
      call.canBeBrief = true;
      const { items, nextPageToken } = await readItems(
        call,
        (limitMax) => manager.lookupInstances(conditions, readPage(query, "query.", limitMax)),
      );
      const waiting = items.filter(({ state }) => state === "scheduled").map(({ kind }) => kind);
      const unserved = await manager.unservedKinds(new Set(waiting));
      const shown = call.isBrief ? items.map(withoutPayload) : items;
      const instances = shown.map((instance) => listedToWire(instance, unserved));
      return { instances, nextPageToken };
    },
    async lookupInstanceHistory({ query }, call) {
      const conditions = readHistoryQuery(query);
      const { items, nextPageToken } = await readItems(
        call,
        (limitMax) =>
          manager.lookupInstanceHistory(conditions, readPage(query, "query.", limitMax)),
      );
      return { entries: items.map(historyToWire), nextPageToken };
    },
    async lookupInstanceLogs(request, call) {
      const conditions = readLogQuery(request);
      call.canBeBrief = true;
      const { items, nextPageToken } = await readItems(
        call,
        (limitMax) =>
          manager.lookupInstanceLogs(conditions, readPage(request.query, "query.", limitMax)),
      );
      const shown = call.isBrief ? items.map(withoutRest) : items;
      return { entries: shown.map(logToWire), nextPageToken };
    },
    async getInstance({ uuid }, call) {
      call.canBeBrief = true;
      const found = await manager.getInstance(readUuidPrefix(uuid, "uuid"));
      const instance = call.isBrief ? withoutPayload(found) : found;
      return { instance: blockedToWire(instance, await manager.blockOf(instance)) };
    },
    async listSchedules(request, call) {
      const conditions = request.kind ? { kind: request.kind } : {};
      const { items, nextPageToken } = await readItems(call, (limitMax) => {
        return manager.listSchedules(conditions, readPage(request, "", limitMax));
      });
      return { schedules: schedulesToWire(items, await manager.listPauses()), nextPageToken };
    },
    async explain({ uuid, kind, at, spanMs, limit }, call) {
      call.canBeBrief = true;
      const { isBrief } = call;
      const reports = await manager.explain(withoutUndefined({
        instanceId: textOf(uuid),
        kind: textOf(kind),
        at: readSet(at, readTime, "at"),
        spanMs: readSet(spanMs, readMs, "span_ms"),
        limit,
      }));
      const pauses = await manager.listPauses();
      const hasPayloads = reports.length <= REPORTS_WHOLE_MAX && !isBrief;
      const how = { pauses, hasPayloads, isBrief };
      return { reports: reports.map((report) => reportToWire(report, how)) };
    },
  };
}
