import { nextRunAt, pausedUntil } from "../../core/time/next_run.ts";
import type { Pause, StoreReads, Upcoming, UpcomingQuery } from "../../store/store.ts";

/** A tick of a schedule, or a waiting instance. */
export interface UpcomingRun {
  readonly kind: string;
  /** Epoch ms; in the past if nothing has looked at it since. */
  readonly dueAt: number;
  /** Null for an instance. */
  readonly scheduleId: string | null;
  /** Null for a tick. */
  readonly instanceId: string | null;
}

/** The first of what is due next. */
export interface UpcomingRuns {
  readonly runs: readonly UpcomingRun[];
  readonly hasMore: boolean;
}

/** Most schedules that are looked at, because the next ticks of the first ones are skipped. */
const LOOK_MAX = 1_000;
const LOOK_FACTOR = 4;

/**
 * What is due next, the earliest first. Of a schedule it is the next tick that is expected to run;
 * one that has none, as in a pause without an end, is left out.
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
    // Something that was not fetched may come before what is due after this.
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

/** When a schedule is expected to run next, epoch ms; null if none is. */
export async function nextScheduledRun(
  store: Pick<StoreReads, "upcoming">,
  pauses: readonly Pause[],
): Promise<number | null> {
  const onlySchedules = {
    upcoming: async (query: UpcomingQuery) => ({ ...await store.upcoming(query), instances: [] }),
  };
  const { runs } = await upcoming(onlySchedules, { limit: 1 }, pauses);
  return runs[0]?.dueAt ?? null;
}

function runsOf({ instances, schedules }: Upcoming, pauses: readonly Pause[]): UpcomingRun[] {
  const ticks = schedules.flatMap((record): UpcomingRun[] => {
    const dueAt = nextRunAt(record, pausedUntil(record.kind, pauses));
    const { id: scheduleId, kind } = record;
    return dueAt === null ? [] : [{ kind, dueAt, scheduleId, instanceId: null }];
  });
  const waiting = instances.map(({ id, kind, dueAt }): UpcomingRun => ({
    ...{ kind, dueAt, scheduleId: null, instanceId: id },
  }));
  return [...ticks, ...waiting].sort((left, right) => left.dueAt - right.dueAt);
}
