import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import { pausedUntil } from "../../core/time/next_run.ts";
import type { ManagerApi } from "../../manager/api.ts";
import type { Pause } from "../../store/store.ts";
import { instanceToWire, scheduleToWire } from "../messages/convert.ts";
import { BYTES_OF_CHARACTER, fitInstances } from "../messages/fit.ts";
import { type Handlers, textLengthMax } from "./handler.ts";
import type { ScheduleSchema } from "../gen/job_pb.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";
import { readName, readSet, readTime, refuse, textOf } from "../messages/requests.ts";
import { readScheduleChange } from "../messages/schedule_requests.ts";
import type { WireRecord } from "../messages/wire_record.ts";

/** Schedules on the wire, with their status: a pause of their kind or of all kinds counts. */
export function schedulesToWire(
  records: readonly ScheduleRecord[],
  pauses: readonly Pause[],
): WireRecord<typeof ScheduleSchema>[] {
  return records.map((record) => scheduleToWire(record, pausedUntil(record.kind, pauses)));
}

/** Changed schedules in one message, without arguments if these do not fit. */
function fitSchedules(records: readonly ScheduleRecord[]): readonly ScheduleRecord[] {
  const characters = records.reduce((sum, { argumentsJson }) => sum + argumentsJson.length, 0);
  if (characters * BYTES_OF_CHARACTER <= MESSAGE_BYTES_MAX / 2) return records;
  return records.map((record) => ({ ...record, argumentsJson: "[]" }));
}

/** The schedules that a request names: a kind's, or a single one, whose id is enough. */
export async function targetOf(
  manager: Pick<ManagerApi, "getSchedule">,
  { kind, scheduleId }: { readonly kind: string; readonly scheduleId?: string },
) {
  const id = textOf(scheduleId);
  if (kind === "" && id !== undefined) {
    return { kind: (await manager.getSchedule(id)).kind, scheduleId: id };
  }
  return withoutUndefined({ kind: readName(kind, "kind"), scheduleId: id });
}

/** The kind to pause or resume; null for all. An empty kind is probably a mistake, never all. */
function kindOf(kind: string | undefined): string | null {
  if (kind !== "") return kind ?? null;
  throw refuse("kind", 'found "", wanted a kind', "Omit it to mean all jobs");
}

/** Handlers of the methods about recurring schedules, except to list and to delete them. */
export function recurringHandlers(manager: ManagerApi) {
  return {
    async runSchedule(request) {
      return {
        instance: instanceToWire(await manager.runSchedule(await targetOf(manager, request))),
      };
    },
    async skipTicks(request) {
      const { until, count } = request;
      const what = { until: readSet(until, readTime, "until"), count };
      const schedules = fitSchedules(
        await manager.skipTicks(await targetOf(manager, request), what),
      );
      return { schedules: schedulesToWire(schedules, await manager.listPauses()) };
    },
    async backfill(request) {
      const { from, to, dryRun = false } = request;
      if (!from || !to) throw refuse(from ? "to" : "from", "it is absent, wanted a time");
      const result = await manager.backfill({
        ...await targetOf(manager, request),
        from: readTime(from, "from"),
        to: readTime(to, "to"),
        dryRun,
      });
      return { ...result, instances: fitInstances(result.instances) };
    },
    async pause({ kind, until, reason }) {
      const options = { until: readSet(until, readTime, "until"), reason: textOf(reason) };
      return { pause: await manager.pause(kindOf(kind), withoutUndefined(options)) };
    },
    async resume({ kind }) {
      return { wasPaused: await manager.resume(kindOf(kind)) };
    },
    async listPauses(_, call) {
      call.canBeBrief = true;
      const length = textLengthMax(call);
      const pauses = await manager.listPauses();
      return { pauses: pauses.map((one) => ({ ...one, reason: one.reason.slice(0, length) })) };
    },
    async getSchedule({ id }) {
      const record = await manager.getSchedule(readName(id, "id"));
      return { schedule: schedulesToWire([record], await manager.listPauses())[0] };
    },
    async updateSchedule(request) {
      const id = readName(request.id, "id");
      const record = await manager.updateSchedule(id, readScheduleChange(request));
      return { schedule: schedulesToWire([record], await manager.listPauses())[0] };
    },
  } satisfies Partial<Handlers>;
}
