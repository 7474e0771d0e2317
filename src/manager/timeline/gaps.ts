import { decidedPart } from "../../core/time/clock_correction.ts";
import type { ScheduleRecord, TickFate } from "../../core/time/schedule.ts";
import { countTicksOf } from "../../core/time/ticks.ts";
import { BATCH_MAX } from "../../store/store.ts";
import { schedulePages } from "../schedules/stored_schedules.ts";
import type { TimelineParts, Work } from "./tick_forecast.ts";

/** Most records of ticks without a run that one call reads, the latest first. */
const READ_MAX = 5_000;
/** Most schedules that are looked up one by one. */
const LOOKUPS_MAX = 50;
/** A range of ticks that began up to this long before a span can reach into it. */
const RANGE_MS_MAX = 31 * 86_400_000;

/** Ticks without a run, with their kind and, if it exists, their schedule. */
export interface Gap {
  readonly kind: string;
  readonly record: ScheduleRecord | null;
  readonly fate: TickFate;
}

/** The ticks without a run in a span of time. */
export interface Gaps {
  /** The latest first. */
  readonly gaps: readonly Gap[];
  /** Earlier gaps are omitted; null: all are included. */
  readonly gapsFrom: number | null;
}

/** Read the ticks without a run in a span of time, the latest first, up to `limit`. */
export async function readGaps(
  { fromMs, toMs, kinds, limit = Infinity, known }: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly kinds?: readonly string[] | undefined;
    readonly limit?: number;
    /** Schedules by id that have been read already. */
    readonly known?: ReadonlyMap<string, ScheduleRecord>;
  },
  { store }: TimelineParts,
  work: Work,
): Promise<Gaps> {
  const wanted = kinds && new Set(kinds);
  const records = new Map<string, ScheduleRecord | null>(known);
  const gaps: Gap[] = [];
  let isCut = false;
  const addAll = async (fates: readonly TickFate[]) => {
    const ids = new Set(fates.map(({ scheduleId }) => scheduleId));
    const unknown = [...ids].filter((id) => !records.has(id));
    // Pages of all schedules cost less than many single reads.
    if (unknown.length > LOOKUPS_MAX) {
      for await (const page of schedulePages(store, {})) {
        for (const record of page) records.set(record.id, record);
      }
      for (const id of unknown) if (!records.has(id)) records.set(id, null);
    } else {
      await Promise.all(
        unknown.map(async (id) => void records.set(id, await store.getSchedule(id))),
      );
    }
    for (const fate of fates) {
      const record = records.get(fate.scheduleId) ?? null;
      const kind = record?.kind ?? kindOfId(fate.scheduleId);
      const part = record ? decidedPart(record, fate) : fate;
      if (kind === null || part === null || (wanted && !wanted.has(kind))) continue;
      if (gaps.length < limit) gaps.push({ kind, record, fate: part });
      else isCut = true;
    }
  };
  let before = toMs;
  let skip = 0;
  for (let read = BATCH_MAX;; read += BATCH_MAX) {
    const page = await store.listGaps({ after: fromMs, before, skip, limit: BATCH_MAX });
    await addAll(page);
    if (isCut) return { gaps, gapsFrom: gaps.at(-1)!.fate.from };
    if (page.length < BATCH_MAX) break;
    const { from } = page.at(-1)!;
    if (read >= READ_MAX || !await work.mayGoOn()) return { gaps, gapsFrom: from };
    // Ticks of the same time may be on both sides of a page's end.
    const same = page.filter((fate) => fate.from === from).length;
    skip = from + 1 === before ? skip + same : same;
    before = from + 1;
  }
  const earlier = { after: fromMs - RANGE_MS_MAX, before: fromMs, limit: BATCH_MAX };
  await addAll((await store.listGaps(earlier)).filter(({ to }) => to >= fromMs));
  return { gaps, gapsFrom: isCut ? gaps.at(-1)!.fate.from : null };
}

/** Number of a gap's ticks in a span of time. */
export function ticksWithin(
  { record, fate }: Gap,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): number {
  if (fate.from >= fromMs && fate.to < toMs) return fate.count;
  if (fate.to < fromMs || fate.from >= toMs) return 0;
  const afterMs = Math.max(fate.from, fromMs) - 1;
  const untilMs = Math.min(fate.to, toMs - 1);
  // Ticks from before the last change of the schedule cannot be computed any more.
  if (record === null || fate.from <= record.startAt) {
    const share = (untilMs - afterMs) / (fate.to - fate.from + 1);
    return Math.round(fate.count * share);
  }
  return countTicksOf(record.spec, record.startAt, { afterMs, untilMs });
}

/** The kind of a deleted schedule, if it was one of the configuration. */
function kindOfId(scheduleId: string): string | null {
  return /^config:(.+):\d+$/s.exec(scheduleId)?.[1] ?? null;
}
