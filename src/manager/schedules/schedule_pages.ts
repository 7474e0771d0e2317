import type { ScheduleRecord } from "../../core/job/schedule.ts";
import { pagesOf } from "../../core/query.ts";
import { BATCH_MAX, type Store } from "../../store/store.ts";

/** A query for a store's schedules. */
export type ScheduleQuery = Parameters<Store["listSchedules"]>[0];

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
