import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import { MemoryPauses, MemorySchedules } from "../memory/schedules.ts";
import { MemoryTicks } from "../memory/ticks.ts";
import type { Pause } from "../store.ts";
import type { Journal } from "./journal.ts";
import * as keys from "./keys.ts";

/** Schedules, with each change recorded in the journal. */
export class ReplicaSchedules extends MemorySchedules {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override save(record: ScheduleRecord): void {
    const before = super.get(record.id);
    super.save(record);
    this.#journal.value(keys.scheduleKey(record.id), record, () => {
      if (before) super.save(before);
      else super.remove(record.id);
    });
  }

  override remove(id: string): void {
    const before = super.get(id);
    if (!before) return;
    super.remove(id);
    this.#journal.value(keys.scheduleKey(id), null, () => super.save(before));
  }
}

/** Fates of ticks, with each change recorded in the journal. */
export class ReplicaTicks extends MemoryTicks {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override add(fate: TickFate): void {
    super.add(fate);
    const { scheduleId, from } = fate;
    const undo = () => super.remove(scheduleId, from);
    this.#journal.value(keys.tickKey(scheduleId, from), fate, undo);
  }

  override remove(scheduleId: string, from: number): void {
    const [before] = super.list(scheduleId, { from, to: from, isReverse: false, limit: 1 });
    if (!before) return;
    super.remove(scheduleId, from);
    this.#journal.value(keys.tickKey(scheduleId, from), null, () => super.add(before));
  }
}

/** Pauses, with each change recorded in the journal. */
export class ReplicaPauses extends MemoryPauses {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override save(pause: Pause): void {
    const before = super.get(pause.kind);
    super.save(pause);
    this.#journal.value(keys.pauseKey(pause.kind), pause, () => {
      if (before) super.save(before);
      else super.remove(pause.kind);
    });
  }

  override remove(kind: string | null): void {
    const before = super.get(kind);
    if (!before) return;
    super.remove(kind);
    this.#journal.value(keys.pauseKey(kind), null, () => super.save(before));
  }
}
