import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { nextTickOf } from "../../core/time/ticks.ts";
import type { Context } from "../context/context.ts";
import { changeSchedule } from "./stored_schedules.ts";

/** Time for which a schedule removed from the configuration keeps its place, in milliseconds. */
const KEPT_MS = 86_400_000;

/**
 * Schedules removed from the config. Each is kept for a day without ticks. A schedule removed by
 * mistake thus keeps its place, and ticks missed meanwhile are misfires.
 */
export class RemovedSchedules {
  readonly #options: Pick<Context, "store" | "clock">;
  /** When each known schedule was removed, epoch ms, by id. */
  readonly #removedAt = new Map<string, number>();

  constructor(options: Pick<Context, "store" | "clock">) {
    this.#options = options;
  }

  get count(): number {
    return this.#removedAt.size;
  }

  /** Remove a schedule. Returns false if it did not exist. */
  async remove(record: ScheduleRecord): Promise<boolean> {
    const removed = await changeSchedule(record, this.#options, (there, nowMs) => {
      return { ...there, nextAt: null, removedAt: nowMs };
    });
    if (removed !== null) this.note(removed);
    return removed !== null;
  }

  /** Note one found in the store. */
  note({ id, removedAt }: ScheduleRecord): void {
    if (removedAt !== undefined) this.#removedAt.set(id, removedAt);
  }

  /** Note that a schedule is back. */
  forget(id: string): void {
    this.#removedAt.delete(id);
  }

  /** True if one has been kept long enough. */
  isOver({ removedAt }: Pick<ScheduleRecord, "removedAt">): boolean {
    return removedAt !== undefined && this.#options.clock.now().wallMs - removedAt > KEPT_MS;
  }

  async delete(id: string): Promise<void> {
    const { store, clock } = this.#options;
    await store.deleteSchedule({ at: clock.now(), id });
    this.forget(id);
  }

  /** Delete schedules whose time is over. */
  async deleteOld(): Promise<void> {
    for (const [id, removedAt] of [...this.#removedAt]) {
      if (!this.isOver({ removedAt })) continue;
      const there = await this.#options.store.getSchedule(id);
      if (there && this.isOver(there)) await this.delete(id);
      else this.forget(id);
      if (there && !this.isOver(there)) this.note(there);
    }
  }
}

/** A schedule that is back in the configuration: it continues from its old place. */
export function takeUp({ removedAt: _, ...record }: ScheduleRecord): ScheduleRecord {
  const { spec, startAt, cursor, runs = 0 } = record;
  const isDone = runs >= (spec.runsMax ?? Infinity);
  return { ...record, nextAt: isDone ? null : nextTickOf(spec, startAt, cursor) };
}
