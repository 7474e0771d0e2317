import type { ScheduleRecord } from "../../../core/time/schedule.ts";
import type { Upcoming, UpcomingInstance, UpcomingQuery } from "../../store.ts";
import { checkBatch, checkLimit } from "../checks.ts";
import type { LedgerState } from "../state.ts";

/** Schedules read at a time. */
const CHUNK = 100;
/** Most schedules that are searched for certain kinds. */
const LOOK_MAX = 20_000;

/** Check the limits of a query. @throws JobError `invalid_argument` */
export function checkUpcoming({ kinds = [], limit }: UpcomingQuery): void {
  checkLimit(limit, "look for what is due next");
  checkBatch(kinds.length, "look for what is due next of");
}

/** The next due items. @param turn resolves after other work has run */
export async function listUpcoming(
  { tables }: LedgerState,
  query: UpcomingQuery,
  turn: () => Promise<void>,
): Promise<Upcoming> {
  checkUpcoming(query);
  const { kinds, limit } = query;
  const lists = kinds === undefined
    ? [tables.waiting.soonest(null, limit)]
    : [...new Set(kinds)].map((kind) => tables.waiting.soonest(kind, limit));
  const schedules = await upcomingSchedules(query, async (skip, count) => {
    if (skip > 0) await turn();
    return tables.schedules.due(Number.MAX_SAFE_INTEGER, { limit: count, skip });
  });
  return { instances: earliest(lists, limit), schedules };
}

/** The first of several lists together. */
function earliest(
  lists: readonly (readonly UpcomingInstance[])[],
  limit: number,
): readonly UpcomingInstance[] {
  if (lists.length === 1) return lists[0]!;
  return lists.flat().sort((left, right) => left.dueAt - right.dueAt).slice(0, limit);
}

/**
 * The schedules of a query with the earliest next ticks, among the first {@link LOOK_MAX} of all.
 *
 * @param read schedules by their next tick, the earliest first, without the first `skip`
 */
export async function upcomingSchedules(
  { kinds, limit }: UpcomingQuery,
  read: (skip: number, count: number) => Promise<readonly ScheduleRecord[]>,
): Promise<readonly ScheduleRecord[]> {
  const wanted = kinds && new Set(kinds);
  const found: ScheduleRecord[] = [];
  for (let skip = 0; skip < LOOK_MAX;) {
    const count = Math.max(limit, skip === 0 ? CHUNK : skip);
    const some = await read(skip, Math.min(count, 1_000));
    for (const record of some) {
      if (record.nextAt === null || record.removedAt !== undefined) continue;
      if (wanted && !wanted.has(record.kind)) continue;
      found.push(record);
      if (found.length === limit) return found;
    }
    if (some.length < Math.min(count, 1_000)) break;
    skip += some.length;
  }
  return found;
}
