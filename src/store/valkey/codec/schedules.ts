import { QUEUE_MAX, type ScheduleRecord, type TickFate } from "../../../core/time/schedule.ts";
import { orNull, Tuple, Unpacker } from "./msgpack.ts";

/** A stored schedule, with the version that shows changes of it or its fates. */
export interface StoredSchedule {
  readonly record: ScheduleRecord;
  readonly version: number;
}

/** Members that the script changes, and that not every schedule has. */
const RARE = ["runs", "lastRunAt", "skipUntil", "skipNext", "tzVersion"] as const;

type RareMembers = Partial<Pick<ScheduleRecord, typeof RARE[number]>>;

/** Members that the script changes, beside the record as written. */
interface StoredMembers extends RareMembers, Pick<ScheduleRecord, "generation" | "cursor"> {
  readonly text: string;
  readonly version: number;
  readonly nextAt: number | false;
}

/** Those of {@link RARE} that an object has. */
function rareOf(given: RareMembers) {
  const names = RARE.filter((name) => given[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

/** Encode a schedule. */
export function packSchedule(record: ScheduleRecord) {
  const { generation, cursor, nextAt, spec: { runsMax, queueMax = QUEUE_MAX } } = record;
  const { at: voidAfter, cursor: voidUntil } = record.correction ?? {};
  const members = { generation, cursor, nextAt, runsMax, queueMax, voidAfter, voidUntil };
  return { text: JSON.stringify(record), ...members, ...rareOf(record) };
}

/** Read a schedule. */
export function readSchedule(bytes: Uint8Array): StoredSchedule {
  const stored = new Unpacker(bytes).read() as StoredMembers;
  const { text, version, generation, cursor, nextAt } = stored;
  const changed = { generation, cursor, nextAt: orNull<number>(nextAt), ...rareOf(stored) };
  return { record: { ...JSON.parse(text) as ScheduleRecord, ...changed }, version };
}

/** A fate, without the schedule that it is of. */
export const FATE = new Tuple<Omit<TickFate, "scheduleId">>(
  ["from", "to", "count", "fate", "reason", "instanceId", "at"],
);

/** Read a fate. */
export function readFate(scheduleId: string, bytes: Uint8Array): TickFate {
  return { scheduleId, ...FATE.read(new Unpacker(bytes).read()) };
}
