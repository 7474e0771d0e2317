import type { ScheduleRecord, TickFate } from "../../../core/time/schedule.ts";
import { isBlackedOut } from "../../../core/time/blackout.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "../../../core/time/ticks.ts";
import { addFate, fateOf } from "../../ledger/operations/fates.ts";
import type { Range } from "../../ledger/tables/tables.ts";
import { MemoryTicks } from "../../memory/ticks.ts";
import type { Advance, Backfill } from "../../store.ts";
import { packNewsOfMissed } from "./memos.ts";
import type { Packable } from "./msgpack.ts";
import { packNewInstance } from "./rows.ts";
import { FATE, type StoredSchedule } from "./schedules.ts";

/** Fates read at a time. */
const FATES_MAX = 1_000;

/** Reads fates of a schedule that begin in a range, and the previous one. */
type ReadFates = (scheduleId: string, range: Range) => Promise<readonly TickFate[]>;

/**
 * The steps of schedules in the script's form. Everything that needs a calendar is computed here:
 * blacked-out ticks, and splits of fates that overlap stored ones.
 */
export async function packAdvances(
  advances: readonly Advance[],
  stored: ReadonlyMap<string, StoredSchedule>,
  readFates: ReadFates,
): Promise<Packable> {
  // The fates after each step, where the steps overlap them.
  const known = new MemoryTicks();
  const cursors = new Map<string, number>();
  const packed: Packable[] = [];
  for (const request of advances) {
    const { scheduleId, generation, expectedCursor, cursor, nextAt, overlap } = request;
    const { record, version } = stored.get(scheduleId) ?? {};
    let parts: readonly TickFate[] = [];
    // A step that conflicts writes nothing; later steps then see the stored state.
    const made = record?.generation === generation &&
        (cursors.get(scheduleId) ?? record.cursor) === expectedCursor
      ? record
      : null;
    if (made) {
      cursors.set(scheduleId, cursor);
      await readOverlapping(known, request, readFates);
      parts = splitFates(known, made, request);
      for (const fire of request.fires) noteFired(known, scheduleId, fire.scheduledFor!);
    }
    const fires: Packable[] = [];
    for (const fire of request.fires) {
      const tick = fire.scheduledFor!;
      const { spec } = record ?? {};
      const isOut = spec !== undefined && isBlackedOut(spec.blackout ?? [], spec.timezone, tick);
      const place = made && isCorrected(made, tick) && await placeOf(made, tick, readFates);
      fires.push([packNewInstance(fire), tick, isOut, place]);
    }
    packed.push([
      scheduleId,
      generation,
      expectedCursor,
      cursor,
      nextAt,
      parts.map((fate) => FATE.pack(fate)),
      fires,
      overlap,
      request.isCatchUp ?? false,
      request.tzVersion,
      version,
      request.isExpected ?? false,
      record?.kind,
      packMissed(request),
    ]);
  }
  return packed;
}

/** Missed ticks of a step, as news. */
function packMissed({ scheduleId, fates }: Advance): Packable {
  const missed = fates.filter(({ fate }) => fate === "missed");
  return missed.length > 0 && missed.map((fate) => packNewsOfMissed({ ...fate, scheduleId }));
}

/** True if a fast clock may have decided a tick. */
function isCorrected({ correction }: ScheduleRecord, tick: number): boolean {
  return correction !== undefined && tick > correction.at && tick <= correction.cursor;
}

/** Read the stored fates that overlap a step's fates. */
async function readOverlapping(
  known: MemoryTicks,
  { scheduleId, fates }: Advance,
  readFates: ReadFates,
): Promise<void> {
  if (fates.length === 0) return;
  const to = Math.max(...fates.map((one) => one.to));
  let from = Math.min(...fates.map((one) => one.from));
  for (;;) {
    const found = await readFates(scheduleId, { from, to, isReverse: false, limit: FATES_MAX });
    for (const fate of found) if (!fateOf(known, scheduleId, fate.from)) known.add(fate);
    if (found.length < FATES_MAX) return;
    from = found.at(-1)!.from + 1;
  }
}

/** Split fates: only their undecided ticks are recorded. */
function splitFates(
  known: MemoryTicks,
  record: ScheduleRecord,
  { scheduleId, fates }: Advance,
): readonly TickFate[] {
  const parts: TickFate[] = [];
  const ticks = {
    list: (id: string, range: Range) => known.list(id, range),
    add: (fate: TickFate) => {
      known.add(fate);
      parts.push(fate);
    },
    remove: () => {},
  };
  for (const fate of fates) addFate(ticks, record, { ...fate, scheduleId, at: 0 });
  return parts;
}

/** Mark a tick as decided, before later fates are split. */
function noteFired(known: MemoryTicks, scheduleId: string, tick: number): void {
  if (fateOf(known, scheduleId, tick)) return;
  const fate = { scheduleId, from: tick, to: tick, count: 1, at: 0 };
  known.add({ ...fate, fate: "fired", reason: null, instanceId: null });
}

/** Past ticks to run in the script's form, each with its place in its deciding range. */
export async function packBackfill(
  { fires }: Backfill,
  stored: StoredSchedule | undefined,
  readFates: ReadFates,
): Promise<Packable> {
  const packed: Packable[] = [];
  for (const fire of fires) {
    const tick = fire.scheduledFor!;
    const place = stored && await placeOf(stored.record, tick, readFates);
    packed.push([packNewInstance(fire), tick, place]);
  }
  return packed;
}

/**
 * The place of a tick in its deciding range: the ticks before and after it, and its index there.
 * False if undecided.
 */
async function placeOf(
  { id, spec, startAt }: ScheduleRecord,
  tick: number,
  readFates: ReadFates,
): Promise<Packable> {
  const found = await readFates(id, { from: tick, to: tick, isReverse: false, limit: 1 });
  const range = found.find(({ from, to }) => from <= tick && tick <= to);
  if (!range) return false;
  const span = { afterMs: range.from - 1, untilMs: tick - 1 };
  const before = lastTickOf(spec, startAt, span);
  return [before, nextTickOf(spec, startAt, tick), countTicksOf(spec, startAt, span)];
}
