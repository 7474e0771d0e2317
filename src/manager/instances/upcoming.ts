import type { StoreReads, UpcomingQuery } from "../../store/store.ts";

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

/** What is due next, the earliest first. */
export async function upcoming(
  store: Pick<StoreReads, "upcoming">,
  { kinds, limit }: UpcomingQuery,
): Promise<UpcomingRuns> {
  const { instances, schedules } = await store.upcoming({
    ...(kinds === undefined ? {} : { kinds }),
    limit,
  });
  const runs: UpcomingRun[] = [
    ...schedules.map(({ id, kind, nextAt }) => {
      return { kind, dueAt: nextAt!, scheduleId: id, instanceId: null };
    }),
    ...instances.map(({ id, kind, dueAt }) => {
      return { kind, dueAt, scheduleId: null, instanceId: id };
    }),
  ];
  runs.sort((left, right) => left.dueAt - right.dueAt);
  const isFull = instances.length === limit || schedules.length === limit;
  return { runs: runs.slice(0, limit), hasMore: isFull || runs.length > limit };
}
