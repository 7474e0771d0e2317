import { describeSignature } from "../../core/arguments/describe.ts";
import { isBlackedOut } from "../../core/time/blackout.ts";
import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { assertRunsHere } from "../../core/job/external.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { pagesOf } from "../../core/query.ts";
import { countTicksOf, nextTickOf } from "../../core/time/ticks.ts";
import { BATCH_MAX, type NewInstance } from "../../store/store.ts";
import { runNowInstance, tickInstance } from "../instances/new_instance.ts";
import type { Schedules } from "./schedules.ts";
import { listAllSchedules } from "./stored_schedules.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { PartContext } from "../context/part_context.ts";
import type { BackfillRequest, BackfillResult, ScheduleTarget } from "../api/schedules.ts";

/** Most ticks of one backfill. */
const BACKFILL_MAX = 10_000;
/** Most ticks that may be skipped by number. */
const SKIPS_MAX = 10_000;
/** Most ticks in a range, including past runs. */
const RANGE_MAX = 1_000_000;

interface RecurringParts
  extends Pick<PartContext, "store" | "clock" | "ids" | "node" | "registry" | "events" | "due"> {
  readonly schedules: Schedules;
}

/** Runs, skips and backfills ticks of recurring schedules on request. */
export class Recurring {
  readonly #parts: RecurringParts;

  constructor(parts: RecurringParts) {
    this.#parts = parts;
  }

  /** A new instance for a run of a schedule right now. @throws JobError `not_found` */
  async runNow(target: ScheduleTarget): Promise<NewInstance> {
    const { ids, clock } = this.#parts;
    const { job, schedules } = await this.#find(target, "run");
    return runNowInstance(job, schedules[0]!, { id: ids(), nowMs: clock.now().wallMs });
  }

  /** Skip ticks before a time, or a number of ticks; 0 cancels an earlier skip. @throws JobError */
  async skip(
    target: ScheduleTarget,
    what: { readonly until?: number; readonly count?: number },
  ): Promise<readonly ScheduleRecord[]> {
    const { until, count } = what;
    if ((until === undefined) === (count === undefined)) {
      throw new JobError("invalid_argument", "Cannot skip ticks: give a time or a number of them", {
        options: ["until"],
      });
    }
    if (count !== undefined && !(Number.isInteger(count) && count >= 0 && count <= SKIPS_MAX)) {
      const wanted = `it is not a whole number from 0 to ${SKIPS_MAX}`;
      throw new JobError("invalid_argument", `Cannot skip ${count} ticks: ${wanted}`, {
        options: ["count"],
      });
    }
    if (until !== undefined) assertAhead(until, this.#parts.clock.now().wallMs, "skip ticks");
    const { schedules } = await this.#find(target, "skip ticks of");
    const changed: ScheduleRecord[] = [];
    for (const { id } of schedules) {
      const record = await this.#parts.schedules.change(id, "skip ticks of", (before) => {
        const { skipUntil: _, skipNext: __, ...rest } = before;
        if (until !== undefined) return { ...rest, skipUntil: until };
        return count === 0 ? rest : { ...rest, skipNext: count };
      });
      changed.push(record);
    }
    return changed;
  }

  /** Run past ticks that did not run. @throws JobError */
  async backfill(request: BackfillRequest): Promise<BackfillResult> {
    const { job, schedules } = await this.#find(request, "backfill");
    assertRunsHere(job);
    this.#checkRange(request, schedules);
    const missing = new Map<ScheduleRecord, readonly number[]>();
    for (const record of schedules) {
      const ran = await this.#ranTicks(record, request);
      missing.set(record, [...ticksIn(record, request)].filter((tick) => !ran.has(tick)));
    }
    const ticks = [...missing.values()].flat().sort((a, b) => a - b);
    if (ticks.length > BACKFILL_MAX) throw tooMany(request.kind, ticks.length);
    const instances: Instance[] = [];
    const result = {
      count: ticks.length,
      first: ticks[0] ?? null,
      last: ticks.at(-1) ?? null,
      instances,
    };
    if (request.dryRun) return result;
    for (const [record, own] of missing) {
      for (let from = 0; from < own.length; from += BATCH_MAX) {
        instances.push(...await this.#write(job, record, own.slice(from, from + BATCH_MAX)));
      }
    }
    instances.sort((a, b) => a.scheduledFor! - b.scheduledFor!);
    return { ...result, count: instances.length };
  }

  async #write(
    job: JobDefinition,
    record: ScheduleRecord,
    ticks: readonly number[],
  ): Promise<readonly Instance[]> {
    const { store, clock, ids, node, events, due } = this.#parts;
    const fires = ticks.map((at) => tickInstance(job, record, { at, id: ids(), node }));
    const backfill = { scheduleId: record.id, fires, overlap: record.spec.overlap };
    const { value, at } = await store.backfill({ at: clock.now(), backfill });
    for (const instance of value) events.changed(instance, at);
    if (value.length > 0) due();
    return value;
  }

  #checkRange(
    { kind, from, to }: BackfillRequest,
    schedules: readonly ScheduleRecord[],
  ): void {
    const { wallMs } = this.#parts.clock.now();
    if (!(from < to)) {
      throw new JobError("invalid_argument", `Cannot backfill "${kind}": the range is empty`, {
        options: ["to", "from"],
        hint: '"to" must be after "from"',
      });
    }
    if (to > wallMs) {
      throw new JobError("invalid_argument", `Cannot backfill "${kind}": the range is not past`, {
        options: ["to"],
        hint: "Future ticks run by themselves",
      });
    }
    const span = { afterMs: from - 1, untilMs: to - 1 };
    const count = schedules.reduce(
      (sum, { spec, startAt }) => sum + countTicksOf(spec, Math.min(startAt, from), span),
      0,
    );
    if (count > RANGE_MAX) throw tooMany(kind, count);
  }

  async #ranTicks(record: ScheduleRecord, range: BackfillRequest): Promise<ReadonlySet<number>> {
    const ran = new Set<number>();
    const query = { scheduleId: record.id, after: range.from, before: range.to };
    const { store } = this.#parts;
    const pages = pagesOf((token) => store.listFates(query, { limit: BATCH_MAX, token }));
    for await (const fates of pages) {
      for (const { fate, from } of fates) if (fate === "fired") ran.add(from);
    }
    return ran;
  }

  async #find(
    { kind, scheduleId }: ScheduleTarget,
    action: string,
  ): Promise<{ readonly job: JobDefinition; readonly schedules: readonly ScheduleRecord[] }> {
    const job = this.#parts.registry.get(kind);
    const all = await listAllSchedules(this.#parts.store, { kind });
    const schedules = scheduleId === undefined ? all : all.filter(({ id }) => id === scheduleId);
    if (schedules.length > 0) return { job, schedules };
    const what = scheduleId === undefined ? "it has no schedule" : `no schedule "${scheduleId}"`;
    throw new JobError("not_found", `Cannot ${action} job "${kind}": ${what}`, {
      hint: all.length === 0
        ? `Run it once with: jobctl run ${describeSignature(shellWord(kind), job.signature)}`
        : didYouMean(scheduleId!, all.map(({ id }) => id)) ??
          `Its schedules: ${all.slice(0, 5).map(({ id }) => id).join(", ")}`,
    });
  }
}

/** Ticks of a schedule in a range, oldest first, without those in a blackout window. */
function* ticksIn(record: ScheduleRecord, { from, to }: BackfillRequest): Generator<number> {
  const { spec, startAt } = record;
  // An interval extends before its start, so that its ticks stay in place.
  const anchor = spec.everyMs === null || startAt < from
    ? startAt
    : startAt - Math.ceil((startAt - from) / spec.everyMs + 1) * spec.everyMs;
  let tick = nextTickOf(spec, anchor, from - 1);
  while (tick !== null && tick < to) {
    if (!isBlackedOut(spec.blackout ?? [], spec.timezone, tick)) yield tick;
    tick = nextTickOf(spec, anchor, tick);
  }
}

function tooMany(kind: string, count: number): JobError {
  return new JobError(
    "invalid_argument",
    `Cannot backfill "${kind}": ${count} ticks, at most ${BACKFILL_MAX}`,
    { options: ["from", "to"], hint: "Choose a shorter range" },
  );
}

/** @throws JobError `invalid_argument` for a time that has passed */
export function assertAhead(until: number, nowMs: number, action: string): void {
  if (until > nowMs) return;
  const text = new Date(until).toISOString();
  throw new JobError("invalid_argument", `Cannot ${action} until "${text}": it has passed`, {
    options: ["until"],
    hint: "Give a future time, such as +2h, or end a pause with: jobctl resume",
  });
}
