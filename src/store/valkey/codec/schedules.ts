import { QUEUE_MAX, type ScheduleRecord, type TickFate } from "../../../core/time/schedule.ts";
import { orNull, Tuple, Unpacker } from "./msgpack.ts";

/** A schedule that was read, with the version that shows whether it or its fates have changed. */
export interface StoredSchedule {
  readonly record: ScheduleRecord;
  readonly version: number;
}

/** Members that the script changes, beside the record as written. */
interface StoredMembers {
  readonly text: string;
  readonly version: number;
  readonly generation: number;
  readonly cursor: number;
  readonly nextAt: number | false;
  readonly runs?: number;
  readonly lastRunAt?: number;
  readonly skipUntil?: number;
  readonly skipNext?: number;
  readonly tzVersion?: string;
}

/** Encode a schedule. */
export function packSchedule(record: ScheduleRecord) {
  const { generation, cursor, nextAt, runs, lastRunAt, skipUntil, skipNext, tzVersion } = record;
  const { runsMax, queueMax = QUEUE_MAX } = record.spec;
  const { at: voidAfter, cursor: voidUntil } = record.correction ?? {};
  return {
    text: JSON.stringify(record),
    generation,
    cursor,
    nextAt,
    runs,
    lastRunAt,
    skipUntil,
    skipNext,
    tzVersion,
    runsMax,
    queueMax,
    voidAfter,
    voidUntil,
  };
}

/** Read a schedule. */
export function readSchedule(bytes: Uint8Array): StoredSchedule {
  const stored = new Unpacker(bytes).read() as StoredMembers;
  const { text, version, generation, cursor, nextAt } = stored;
  const record = {
    ...JSON.parse(text) as ScheduleRecord,
    generation,
    cursor,
    nextAt: orNull<number>(nextAt),
  };
  const changed: Record<string, unknown> = {};
  for (const name of ["runs", "lastRunAt", "skipUntil", "skipNext", "tzVersion"] as const) {
    if (stored[name] !== undefined) changed[name] = stored[name];
  }
  return { record: { ...record, ...changed }, version };
}

/** A fate, without the schedule that it is of. */
export const FATE = new Tuple<Omit<TickFate, "scheduleId">>(
  ["from", "to", "count", "fate", "reason", "instanceId", "at"],
);

/** Read a fate. */
export function readFate(scheduleId: string, bytes: Uint8Array): TickFate {
  return { scheduleId, ...FATE.read(new Unpacker(bytes).read()) };
}
