import { quoteValue } from "../../core/text/quote_value.ts";
import { isJobError, JobError, type JobErrorOptions } from "../../core/errors.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { pagesOf } from "../../core/query.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { BATCH_MAX, type ScheduleQuery, type Store, type StoreReads } from "../../store/store.ts";
import type { Context } from "../context/context.ts";

/** Most tries of a write if another node was first. */
export const TRIES_MAX = 5;

/** All schedules that match, page by page. */
export function schedulePages(
  store: Pick<Store, "listSchedules">,
  query: ScheduleQuery,
): AsyncGenerator<readonly ScheduleRecord[]> {
  return pagesOf((token) => store.listSchedules(query, { limit: BATCH_MAX, token }));
}

/** All schedules that match. */
export async function listAllSchedules(
  store: Pick<Store, "listSchedules">,
  query: ScheduleQuery,
): Promise<readonly ScheduleRecord[]> {
  const found: ScheduleRecord[] = [];
  for await (const page of schedulePages(store, query)) found.push(...page);
  return found;
}

/**
 * Change a stored schedule by compare-and-set; retried if another node was first. A new generation
 * keeps steps of other nodes that are under way from undoing it.
 *
 * @returns the changed schedule; null if it does not exist or was removed
 */
export async function changeSchedule(
  stored: ScheduleRecord | null,
  { store, clock }: Pick<Context, "store" | "clock">,
  changeOf: (record: ScheduleRecord, nowMs: number) => ScheduleRecord,
): Promise<ScheduleRecord | null> {
  let before = stored;
  for (let tries = 1; before !== null && before.removedAt === undefined; tries++) {
    const at = clock.now();
    const { generation: expectedGeneration, cursor: expectedCursor, id } = before;
    const record = { ...changeOf(before, at.wallMs), generation: expectedGeneration + 1 };
    try {
      return (await store.putSchedule({ at, record, expectedGeneration, expectedCursor })).value;
    } catch (error) {
      if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
      before = await store.getSchedule(id);
    }
  }
  return null;
}

/** The schedule of an id. @throws JobError `not_found` */
export async function findSchedule(
  id: string,
  store: Pick<StoreReads, "getSchedule" | "listSchedules">,
): Promise<ScheduleRecord> {
  const record = await store.getSchedule(id);
  if (record !== null && record.removedAt === undefined) return record;
  throw await unknownSchedule(id, "find", store, "id");
}

/** The error about an unknown schedule, with the nearest one of the store. */
export async function unknownSchedule(
  id: string,
  action: string,
  store: Pick<StoreReads, "listSchedules">,
  path?: string,
): Promise<JobError> {
  const { items } = await store.listSchedules({}, { limit: BATCH_MAX });
  const ids = items.map((record) => record.id);
  // Callers of the library may pass anything.
  const hint = typeof id === "string" ? didYouMean(id, ids) : undefined;
  return noSuchSchedule(id, action, { path, hint });
}

/** The error about an unknown schedule. */
export function noSuchSchedule(
  id: string,
  action: string,
  { path, hint = "List them with: jobctl list schedules" }: JobErrorOptions = {},
): JobError {
  const message = `Cannot ${action} schedule ${quoteValue(id)}: no such schedule`;
  return new JobError("not_found", message, { path, hint });
}
