import type { ScheduleRecord } from "../../../core/time/schedule.ts";
import type { PutSchedule } from "../../store.ts";
import { checkTime } from "../checks.ts";
import { generationError } from "../refusals.ts";
import { storable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Write a schedule if its generation and, if given, its cursor are as expected. */
export function putSchedule(
  state: LedgerState,
  _moment: Moment,
  request: PutSchedule,
): ScheduleRecord {
  const { record, expectedGeneration, expectedCursor } = request;
  const existing = state.tables.schedules.get(record.id);
  const generation = existing?.generation ?? null;
  const isMoved = expectedCursor !== undefined && existing?.cursor !== expectedCursor;
  if (generation !== expectedGeneration || isMoved) throw generationError(request, generation);
  const stored = copyToStore(record);
  state.isDirty = true;
  state.tables.schedules.save(stored);
  if (generation === null) state.scheduleCount += 1;
  state.hints.push({ type: "schedules" });
  return stored;
}

/** A copy of a schedule that can be stored. @throws JobError `invalid_argument` for its times */
export function copyToStore(record: ScheduleRecord): ScheduleRecord {
  checkTime(record.cursor, "cursor");
  if (record.nextAt !== null) checkTime(record.nextAt, "nextAt");
  const text = JSON.stringify(record);
  // JSON escapes unstorable characters. Checking each value costs more than everything else, so it
  // is done only if the text may have one.
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return JSON.parse(text) as ScheduleRecord;
  const clean = (_key: string, value: unknown) =>
    typeof value === "string" ? storable(value) : value;
  return JSON.parse(text, clean) as ScheduleRecord;
}

/** Delete a schedule. Its fates stay, so that no tick fires twice. @returns true if it existed */
export function deleteSchedule(
  state: LedgerState,
  _moment: Moment,
  { id }: { readonly id: string },
): boolean {
  if (!state.tables.schedules.get(id)) return false;
  state.isDirty = true;
  state.tables.schedules.remove(id);
  state.scheduleCount -= 1;
  state.hints.push({ type: "schedules" });
  return true;
}
