import { isBlackedOut } from "../../../core/time/blackout.ts";
import type { ScheduleRecord, TickFate } from "../../../core/job/schedule.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "../../../core/time/ticks.ts";
import { addFate } from "../../ledger/operations/fates.ts";
import type { Advance, Backfill, NewInstance } from "../../store.ts";
import type { Packable } from "./msgpack.ts";
import { packNewInstance } from "./rows.ts";
import { packFate, type StoredSchedule } from "./schedules.ts";

/** Fates read at a time. */
const FATES_MAX = 1_000;

/** Reads fates that begin in a span, and the one before them. */
type ReadTicks = (
  span: {
    readonly scheduleId: string;
    readonly from: number;
    readonly to: number;
    readonly isReverse: false;
    readonly limit: number;
    readonly hasBefore: true;
  },
) => Promise<readonly TickFate[]>;

/**
 * Encode steps of schedules, with all that needs a calendar: which ticks are blacked out, and how
 * fates that overlap stored ones are split.
 */
export async function packAdvances(
  advances: readonly Advance[],
  stored: ReadonlyMap<string, StoredSchedule>,
  readTicks: ReadTicks,
): Promise<Packable> {
  const known = new Map<string, KnownFates>();
  const cursors = new Map<string, number>();
  const packed: Packable[] = [];
  for (const request of advances) {
    const { scheduleId, generation, expectedCursor, cursor, nextAt, overlap } = request;
    const found = stored.get(scheduleId);
    let parts: readonly TickFate[] = [];
    // A step that conflicts writes nothing; later steps then see the stored state.
    const isMade = found?.record.generation === generation &&
      (cursors.get(scheduleId) ?? found.record.cursor) === expectedCursor;
    if (isMade) cursors.set(scheduleId, cursor);
    let fates = known.get(scheduleId);
    if (!fates) known.set(scheduleId, fates = new KnownFates(scheduleId));
    if (found && isMade && request.fates.length > 0) {
      await fates.read(request.fates, readTicks);
      parts = fates.split(found.record, request.fates);
    }
    if (isMade) {
      for (const fire of request.fires) fates.note(fire.scheduledFor!);
    }
    const places = await placesOf(request.fires, isMade ? found : undefined, readTicks);
    packed.push([
      ...[scheduleId, generation, expectedCursor, cursor, nextAt],
      parts.map(packFate),
      request.fires.map((fire, index) => [
        packNewInstance(fire),
        fire.scheduledFor,
        found ? isOut(found.record, fire.scheduledFor!) : false,
        places[index] ?? false,
      ]),
      ...[overlap, request.isCatchUp ?? false, request.tzVersion, found?.version],
    ]);
  }
  return packed;
}

/**
 * For ticks that a clock that was ahead may have decided: the position of each in the range that
 * decided it.
 */
async function placesOf(
  fires: readonly NewInstance[],
  stored: StoredSchedule | undefined,
  readTicks: ReadTicks,
): Promise<readonly Packable[]> {
  const { correction } = stored?.record ?? {};
  if (!stored || correction === undefined) return [];
  const places: Packable[] = [];
  for (const fire of fires) {
    const tick = fire.scheduledFor!;
    const isMet = tick > correction.at && tick <= correction.cursor;
    places.push(isMet ? await placeOf(fire, stored, readTicks) : false);
  }
  return places;
}

function isOut({ spec }: ScheduleRecord, tick: number): boolean {
  return isBlackedOut(spec.blackout ?? [], spec.timezone, tick);
}

/** The fates of one schedule after the request, as far as it meets them. */
class KnownFates {
  readonly #scheduleId: string;
  readonly #byFrom = new Map<number, TickFate>();

  constructor(scheduleId: string) {
    this.#scheduleId = scheduleId;
  }

  /** Read the stored fates that overlap the given ones. */
  async read(
    spans: readonly { readonly from: number; readonly to: number }[],
    readTicks: ReadTicks,
  ): Promise<void> {
    const to = Math.max(...spans.map((one) => one.to));
    let from = Math.min(...spans.map((one) => one.from));
    for (;;) {
      const span = { scheduleId: this.#scheduleId, from, to, limit: FATES_MAX } as const;
      const found = await readTicks({ ...span, isReverse: false, hasBefore: true });
      for (const fate of found) if (!this.#byFrom.has(fate.from)) this.#byFrom.set(fate.from, fate);
      if (found.length < FATES_MAX) return;
      from = found.at(-1)!.from + 1;
    }
  }

  /** Mark a tick as decided, before later ranges are split. */
  note(tick: number): void {
    if (this.#at(tick)) return;
    const fate = { scheduleId: this.#scheduleId, from: tick, to: tick, count: 1, at: 0 };
    this.#byFrom.set(tick, { ...fate, fate: "fired", reason: null, instanceId: null });
  }

  /** Split fates: only their undecided ticks are recorded. */
  split(record: ScheduleRecord, fates: Advance["fates"]): readonly TickFate[] {
    const parts: TickFate[] = [];
    const ticks = {
      list: (_id: string, span: Parameters<typeof this.ticks>[0]) => this.ticks(span),
      add: (fate: TickFate) => {
        this.#byFrom.set(fate.from, fate);
        parts.push(fate);
      },
      remove: () => {},
    };
    for (const fate of fates) {
      addFate(ticks, record, { ...fate, scheduleId: this.#scheduleId, at: 0 });
    }
    return parts;
  }

  /** Fates that begin in a span. */
  ticks(
    { from, to, isReverse, limit }: {
      readonly from: number;
      readonly to: number;
      readonly isReverse: boolean;
      readonly limit: number;
    },
  ): readonly TickFate[] {
    const found = [...this.#byFrom.values()].filter((one) => one.from >= from && one.from <= to);
    found.sort((left, right) => isReverse ? right.from - left.from : left.from - right.from);
    return found.slice(0, limit);
  }

  #at(tick: number): boolean {
    return [...this.#byFrom.values()].some(({ from, to }) => from <= tick && tick <= to);
  }
}

/** Encode past ticks to run, each with its position in the range that decided it. */
export async function packBackfill(
  { fires }: Backfill,
  stored: StoredSchedule | undefined,
  readTicks: ReadTicks,
): Promise<Packable> {
  const packed: Packable[] = [];
  for (const fire of fires) {
    const place = stored ? await placeOf(fire, stored, readTicks) : false;
    packed.push([packNewInstance(fire), fire.scheduledFor, place]);
  }
  return packed;
}

/** The position of a tick in the range that decided it; false if undecided. */
async function placeOf(
  fire: NewInstance,
  { record }: StoredSchedule,
  readTicks: ReadTicks,
): Promise<Packable> {
  const tick = fire.scheduledFor!;
  const span = { scheduleId: record.id, from: tick, to: tick, limit: 1 } as const;
  const found = await readTicks({ ...span, isReverse: false, hasBefore: true });
  const range = found.find(({ from, to }) => from <= tick && tick <= to);
  return range ? placeIn(record, range, fire) : false;
}

/** The ticks before and after a tick in its range, and how many of the range come before it. */
function placeIn(
  { spec, startAt }: ScheduleRecord,
  range: TickFate,
  { scheduledFor }: NewInstance,
): Packable {
  const tick = scheduledFor!;
  const span = { afterMs: range.from - 1, untilMs: tick - 1 };
  const before = lastTickOf(spec, startAt, span);
  const after = nextTickOf(spec, startAt, tick);
  return [before, after, countTicksOf(spec, startAt, span)];
}
