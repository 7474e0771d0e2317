import { NEVER_DUE } from "../../core/wait.ts";
import { nextRunAt, pausedUntil } from "../../core/time/next_run.ts";
import type { Pause, StoreReads, Upcoming, UpcomingQuery } from "../../store/store.ts";
import type { UpcomingRun, UpcomingRuns } from "../api/instances.ts";

/** Most schedules inspected when the next ticks of the first ones are skipped. */
const LOOK_MAX = 1_000;
const LOOK_FACTOR = 4;
/** Most schedules inspected for the next run alone, and most of these with a blackout. */
const FIRST_MAX = 100;
const BLACKOUTS_MAX = 10;

/**
 * The next runs, earliest first. Of a schedule it is the next tick that is expected to run; a
 * schedule without one, as in an endless pause, is omitted.
 */
export async function upcoming(
  store: Pick<StoreReads, "upcoming">,
  { kinds, limit }: UpcomingQuery,
  pauses: readonly Pause[],
): Promise<UpcomingRuns> {
  const query = kinds === undefined ? {} : { kinds };
  let count = limit;
  for (;;) {
    const found = await store.upcoming({ ...query, limit: count });
    const runs = runsOf(found, pauses);
    // An instance that was not fetched may precede later ones.
    const end = Math.min(
      found.schedules.length < count ? Infinity : found.schedules.at(-1)!.nextAt!,
      found.instances.length < count ? Infinity : found.instances.at(-1)!.dueAt,
    );
    const known = runs.filter(({ dueAt }) => dueAt <= end);
    const hasRest = end < Infinity;
    if (known.length >= limit || !hasRest || count >= LOOK_MAX) {
      const shown = count >= LOOK_MAX ? runs : known;
      return { runs: shown.slice(0, limit), hasMore: hasRest || runs.length > limit };
    }
    count = Math.min(LOOK_MAX, LOOK_FACTOR * count);
  }
}

/**
 * Time of a schedule's next expected run, epoch ms; null if there is none. It takes some ms to find
 * that a blackout never ends, so after a few of them the next tick outside of pauses is expected to
 * run.
 */
export async function nextScheduledRun(
  store: Pick<StoreReads, "upcoming">,
  pauses: readonly Pause[],
  turn: () => Promise<void>,
): Promise<number | null> {
  const { schedules } = await store.upcoming({ limit: FIRST_MAX });
  let first = Infinity;
  let blackouts = 0;
  for (const [place, record] of schedules.entries()) {
    if (record.nextAt === null || record.nextAt >= first) break;
    const pauseEnd = pausedUntil(record.kind, pauses);
    if (record.spec.blackout !== undefined && blackouts++ > 0) await turn();
    const isChecked = blackouts <= BLACKOUTS_MAX && place < FIRST_MAX - 1;
    const runAt = isChecked
      ? nextRunAt(record, pauseEnd)
      : Math.max(record.nextAt, pauseEnd ?? -Infinity);
    first = Math.min(first, runAt ?? Infinity);
  }
  return first === Infinity ? null : first;
}

function runsOf({ instances, schedules }: Upcoming, pauses: readonly Pause[]): UpcomingRun[] {
  const ticks = schedules.flatMap((record): UpcomingRun[] => {
    const dueAt = nextRunAt(record, pausedUntil(record.kind, pauses));
    const { id: scheduleId, kind } = record;
    return dueAt === null ? [] : [{ kind, dueAt, scheduleId, instanceId: null }];
  });
  // A parked instance that no time wakes has no due time.
  const due = instances.filter(({ dueAt }) => dueAt < NEVER_DUE);
  const waiting = due.map(({ id, kind, dueAt }): UpcomingRun => ({
    kind,
    dueAt,
    scheduleId: null,
    instanceId: id,
  }));
  return [...ticks, ...waiting].sort((left, right) => left.dueAt - right.dueAt);
}
