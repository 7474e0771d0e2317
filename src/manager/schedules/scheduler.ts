import { isJobError, toJobError } from "../../core/errors.ts";
import { CHANGED, type ScheduleRecord, type ScheduleSpec } from "../../core/job/schedule.ts";
import { isFinal } from "../../core/state.ts";
import { GRACE_MS, planAdvance } from "../../core/time/ticks.ts";
import type { Clock } from "../../platform/clock.ts";
import type { IdSource } from "../../platform/ids.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Logger } from "../../platform/logger.ts";
import {
  type Advance,
  AHEAD_MS_MAX,
  BATCH_MAX,
  type NewInstance,
  type Store,
} from "../../store/store.ts";
import { ClockCorrections } from "./clock_correction.ts";
import type { Events } from "../events.ts";
import { PeerWatch } from "./peer_watch.ts";
import type { EarlyClaims } from "../dispatch/early_claims.ts";
import { startAdvances } from "./start_ticks.ts";
import { tickInstance } from "../instances/new_instance.ts";
import type { Registry } from "../registry.ts";
import type { StoreHealth } from "../store/store_health.ts";

/** Schedules advanced in one transaction. */
const ADVANCE_BATCH = 250;
/** Schedules that are put in order before the first of them fires. */
const DUE_MAX = 20_000;
/** Longest sleep: the wall clock may be set while we wait. */
const SLEEP_MAX_MS = 60_000;
/** When a schedule is looked at again that could not be planned. */
const PUT_OFF_MS = 60_000;
/** Shortest sleep: the store's clock, which decides what is due, may be behind ours. */
const SLEEP_MIN_MS = 1;
const RETRY_MS = 1_000;

/** What the scheduler works with. */
export interface SchedulerOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly events: Events;
  readonly clock: Clock;
  readonly node: string;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** Version of the time zone database. */
  readonly tzVersion: string;
  /** Called when ticks become instances, in the turn that asks the store for it. */
  readonly fired: () => void;
  readonly storeHealth: StoreHealth;
  readonly earlyClaims: EarlyClaims;
}

/**
 * Turns due ticks of the recurring schedules into instances, each exactly once: it plans on what the store holds and advances
 * by compare-and-set, so that any number of nodes may do the same.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  #isStarted = false;
  #isStartDue = false;
  #startAdvances: readonly Advance[] | null = null;
  #isRunning = false;
  #mustRun = false;
  readonly #wake: LazyTimer;
  #nextAt: number | null = null;
  /** Until when ticks that have no head start are left alone, epoch ms. */
  #leftUntil = 0;
  readonly #peerWatch = new PeerWatch();
  readonly #corrections: ClockCorrections;
  /** Versions of the time zone database that were warned of. */
  readonly #foreignZones = new Set<string>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#wake = new LazyTimer(options.clock, () => this.poke(), { isExact: true });
    this.#corrections = new ClockCorrections(options);
  }

  /** The next tick of any schedule, epoch ms; null when there is none. */
  get nextAt(): number | null {
    return this.#nextAt;
  }

  start(): void {
    this.#isStarted = true;
    this.#isStartDue = true;
    this.#startAdvances = null;
    this.#corrections.restart();
    this.poke();
  }

  /** Go on after a {@link stop} that was no end of the daemon. */
  resume(): void {
    this.#isStarted = true;
    this.poke();
  }

  stop(): void {
    this.#isStarted = false;
    this.#wake.cancel();
  }

  /** A schedule was written, or is due. */
  poke(): void {
    this.#mustRun = true;
    if (this.#isStarted && !this.#isRunning) void this.#run();
  }

  /**
   * Decide what becomes of the due ticks of a schedule that is about to change: ticks that a running daemon has yet to handle
   * run, ticks of a downtime are recorded as missed.
   */
  async settle(record: ScheduleRecord): Promise<void> {
    const nowMs = this.#options.clock.now().wallMs;
    // One record for each of the last ticks: after the change their times cannot be computed any more.
    const spec = { ...record.spec, misfire: "all", misfireWithinMs: Infinity } as const;
    const advance = this.#planOrPutOff({ ...record, spec }, nowMs);
    if (advance.cursor === record.cursor) return;
    const isLate = ({ scheduledFor }: NewInstance) =>
      !this.#isStarted || nowMs - scheduledFor! > GRACE_MS;
    const passed = advance.fates.map((fate) =>
      fate.fate === "missed" ? { ...fate, reason: CHANGED } : fate
    );
    const late = advance.fires.filter(isLate).map(({ scheduledFor }) => ({
      ...{ from: scheduledFor!, to: scheduledFor!, count: 1 },
      ...{ fate: "missed", reason: CHANGED, instanceId: null } as const,
    }));
    const fires = advance.fires.filter((fire) => !isLate(fire));
    await this.#advance([{ ...advance, isCatchUp: false, fires, fates: [...passed, ...late] }]);
  }

  /** A minute has passed without a tick: the clock may have been corrected. */
  lookAtClock(): void {
    if (this.#wake.dueMs === null) this.poke();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#isStarted && this.#mustRun) {
        this.#mustRun = false;
        await this.#fireAtStart();
        await this.#advanceDue();
        await this.#advanceAhead();
      }
      await this.#arm();
      this.#options.storeHealth.succeeded("advance the schedules");
    } catch (error) {
      // The store may have been closed under a run that was on its way.
      if (!this.#isStarted) return;
      this.#options.storeHealth.failed(error, "advance the schedules");
      this.#sleep(RETRY_MS);
    } finally {
      this.#isRunning = false;
    }
    if (this.#isStarted && this.#mustRun) this.poke();
  }

  async #advanceDue(): Promise<void> {
    const { store, clock } = this.#options;
    for (;;) {
      const at = clock.now();
      const due: ScheduleRecord[] = [];
      for (;;) {
        const page = await store.dueSchedules({ at, limit: BATCH_MAX, skip: due.length });
        due.push(...page);
        if (page.length < BATCH_MAX || due.length >= DUE_MAX) break;
      }
      this.#peerWatch.keep(new Set(due.map(({ id }) => id)));
      const count = due.length;
      if (count === 0) return;
      const ours = due.filter((record) => !this.#isLeft(record, at.monotonicMs));
      if (ours.length > ADVANCE_BATCH) this.#sort(ours);
      for (let from = 0; from < ours.length; from += ADVANCE_BATCH) {
        if (!this.#isStarted) return;
        // The store says that it is due; our own clock may be behind the store's.
        const advances = ours.slice(from, from + ADVANCE_BATCH).map((record) =>
          this.#planOrPutOff(record, Math.max(at.wallMs, record.nextAt ?? 0))
        );
        await this.#advance(advances);
      }
      if (count < DUE_MAX || ours.length === 0) return;
    }
  }

  /** Give the ticks that come in some milliseconds their instances, where nothing can change what becomes of them. */
  async #advanceAhead(): Promise<void> {
    const { store, clock, earlyClaims } = this.#options;
    const at = clock.now();
    const dueBy = earlyClaims.untilMs(at.wallMs);
    const isSoon = this.#nextAt !== null && this.#nextAt > at.wallMs && this.#nextAt <= dueBy;
    if (!isSoon || !this.#isStarted || this.#isLeftAlone(at.wallMs)) return;
    // Those that are not made now have their ticks at their time, and what is wrong is told then.
    this.#leftUntil = dueBy;
    try {
      const found = await store.dueSchedules({ at, dueBy, limit: ADVANCE_BATCH });
      const ahead = found.filter(({ nextAt }) => nextAt! > at.wallMs);
      // Of more than that the most urgent are to start first, and it takes its time to find them.
      if (ahead.length === 0 || found.length === ADVANCE_BATCH) return;
      const advances = ahead.map((record) => this.#planAhead(record)).filter((one) => one !== null);
      earlyClaims.expect(ahead[0]!.nextAt!);
      const made = advances.length === 0 ? 0 : await this.#advance(advances);
      if (made === ahead.length) this.#leftUntil = 0;
    } catch (error) {
      if (!isJobError(error)) throw error;
    }
  }

  /** Whether ticks that come soon after a time, epoch ms, have no head start. */
  #isLeftAlone(nowMs: number): boolean {
    const leftMs = this.#leftUntil - nowMs;
    // Longer than that the clock was set back.
    return leftMs > 0 && leftMs <= AHEAD_MS_MAX;
  }

  #isLeft(record: ScheduleRecord, nowMs: number): boolean {
    const { registry } = this.#options;
    const isHere = registry.find(record.kind) !== undefined ||
      registry.disabledBecause(record.kind) !== undefined;
    return !isHere && this.#peerWatch.isLeft(record, nowMs);
  }

  // Of many that are due the first to start are the first by priority, as among instances.
  #sort(due: ScheduleRecord[]): void {
    const { registry } = this.#options;
    const priorityOf = ({ priority, kind }: ScheduleRecord) =>
      priority ?? registry.find(kind)?.options.priority ?? Infinity;
    const keyed = due.map((record) => ({ record, priority: priorityOf(record) }));
    keyed.sort((a, b) => a.priority - b.priority || a.record.nextAt! - b.record.nextAt!);
    for (const [index, { record }] of keyed.entries()) due[index] = record;
  }

  /** Answers how many were made. */
  async #advance(advances: readonly Advance[]): Promise<number> {
    const { store, clock, events } = this.#options;
    const advanced = store.advance({ at: clock.now(), advances });
    // In the same turn, so that a free worker's claim shares the transaction.
    if (advances.some(({ fires }) => fires.length > 0)) this.#options.fired();
    const { value, at } = await advanced;
    for (const result of value) {
      for (const instance of result.accepted) events.changed(instance, at);
      // What runs is told when it has ended.
      for (const instance of result.replaced) {
        if (isFinal(instance.state)) events.changed(instance, at);
      }
    }
    return value.filter(({ status }) => status === "advanced").length;
  }

  // The ticks of `@reboot`. Tried again they are the same ticks, so that the store refuses those that it has taken.
  async #fireAtStart(): Promise<void> {
    if (!this.#isStartDue) return;
    const { store, clock } = this.#options;
    // By the store's time, which decides what is due.
    const asked = clock.now();
    const { at } = await store.nextDue({ at: asked, kinds: NO_KINDS });
    await this.#corrections.check(at, asked);
    const advances = this.#startAdvances ??= await startAdvances(this.#options);
    for (let from = 0; from < advances.length; from += ADVANCE_BATCH) {
      await this.#advance(advances.slice(from, from + ADVANCE_BATCH));
    }
    this.#startAdvances = null;
    this.#isStartDue = false;
  }

  #planAhead(record: ScheduleRecord): Advance | null {
    try {
      const advance = this.#plan(record, record.nextAt!);
      return advance.fires.length === 1 ? { ...advance, isAhead: true } : null;
    } catch (error) {
      if (isJobError(error)) return null;
      throw error;
    }
  }

  // One that cannot be planned, as its zone is not known here, must not hold up the others.
  #planOrPutOff(record: ScheduleRecord, nowMs: number): Advance {
    try {
      return this.#plan(record, nowMs);
    } catch (error) {
      this.#options.logger.error(`Cannot plan schedule "${record.id}": put off`, {
        kind: record.kind,
        error: toJobError(error, "Cannot plan").message,
      });
      return this.#putOff(record, nowMs);
    }
  }

  #putOff(record: ScheduleRecord, nowMs: number): Advance {
    const { id: scheduleId, generation, cursor } = record;
    const at = { cursor, expectedCursor: cursor, nextAt: nowMs + PUT_OFF_MS };
    return { scheduleId, generation, ...at, overlap: "skip", fires: [], fates: [] };
  }

  #plan(record: ScheduleRecord, nowMs: number): Advance {
    const { registry, node, ids } = this.#options;
    this.#compareZones(record);
    const plan = planAdvance(record, nowMs);
    const job = registry.find(record.kind);
    const step = {
      scheduleId: record.id,
      generation: record.generation,
      expectedCursor: record.cursor,
      cursor: plan.cursor,
      nextAt: plan.nextAt,
      overlap: record.spec.overlap,
      isCatchUp: isCatchUp(record.spec, plan.fires, nowMs),
      tzVersion: this.#options.tzVersion,
    };
    if (!job && registry.disabledBecause(record.kind) === undefined) {
      return this.#putOff(record, nowMs);
    }
    if (!job) {
      const skipped = plan.fires.map((tick) => ({
        from: tick,
        to: tick,
        count: 1,
        fate: "skipped" as const,
        reason: "disabled",
        instanceId: null,
      }));
      return { ...step, fires: [], fates: [...plan.fates, ...skipped] };
    }
    const fires = plan.fires.map((tick) =>
      tickInstance(job, record, { at: tick, id: ids(), node })
    );
    return { ...step, fires, fates: plan.fates };
  }

  // Two nodes with other rules for a zone mean other instants by one expression.
  #compareZones({ tzVersion, id }: ScheduleRecord): void {
    const { tzVersion: own, logger } = this.#options;
    if (tzVersion === undefined || tzVersion === own || this.#foreignZones.has(tzVersion)) return;
    this.#foreignZones.add(tzVersion);
    logger.warn("Another node has another time zone database: use one version on all of them", {
      schedule: id,
      theirs: tzVersion,
      ours: own,
    });
  }

  async #arm(): Promise<void> {
    if (!this.#isStarted) return;
    const { store, clock } = this.#options;
    const asked = clock.now();
    const { at, scheduleAt } = await store.nextDue({ at: asked, kinds: NO_KINDS });
    this.#nextAt = scheduleAt;
    this.#wake.set(null);
    if (await this.#corrections.check(at, asked)) return this.poke();
    if (scheduleAt === null) return;
    // By the store's time: a clock that is ahead of it must not ask again and again.
    const leftMs = scheduleAt <= at ? this.#peerWatch.delayMs : null;
    // The answer took its time: a tick must not wait for that once more.
    const elapsedMs = clock.now().wallMs - asked.wallMs;
    const isLeftAlone = scheduleAt <= this.#leftUntil && this.#isLeftAlone(at);
    const leadMs = isLeftAlone ? 0 : this.#options.earlyClaims.untilMs(at) - at;
    this.#sleep(leftMs ?? Math.max(SLEEP_MIN_MS, scheduleAt - at - elapsedMs - leadMs));
  }

  #sleep(delayMs: number): void {
    if (this.#isStarted) this.#wake.setIn(Math.min(delayMs, SLEEP_MAX_MS));
  }
}

/** Whether ticks passed while nothing ran, and each of them is to run nevertheless. */
function isCatchUp({ misfire }: ScheduleSpec, fires: readonly number[], nowMs: number): boolean {
  if (misfire !== "all" || fires.length === 0) return false;
  return fires.length > 1 || nowMs - fires[0]! > GRACE_MS;
}

const NO_KINDS: ReadonlySet<string> = new Set();
