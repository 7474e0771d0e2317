import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { isJobError, toJobError } from "../../core/errors.ts";
import { isExternal } from "../../core/job/external.ts";
import {
  CHANGED,
  REBOOT,
  type ScheduleRecord,
  type ScheduleSpec,
} from "../../core/time/schedule.ts";
import { isFinal } from "../../core/state.ts";
import { GRACE_MS, planAdvance } from "../../core/time/ticks.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { type Advance, AHEAD_MS_MAX, BATCH_MAX, type NewInstance } from "../../store/store.ts";
import { ClockCorrections } from "./clock_correction.ts";
import { schedulePages } from "./stored_schedules.ts";
import { WarmStarts } from "./warm_starts.ts";
import { tickInstance } from "../instances/new_instance.ts";
import type { PartContext } from "../context/part_context.ts";

/** Schedules advanced in one transaction. */
const ADVANCE_BATCH = 250;
/** Schedules that are sorted before the first of them fires. */
const DUE_MAX = 20_000;
/** Longest sleep: the wall clock may be set while we wait. */
const SLEEP_MAX_MS = 60_000;
/** Delay of a schedule that cannot be planned. */
const PUT_OFF_MS = 60_000;
/** Shortest sleep: the store's clock, which decides due times, may be behind ours. */
const SLEEP_MIN_MS = 1;
const RETRY_MS = 1_000;
/** Time for which a due schedule of a job missing here is left to nodes that have it. */
const LEFT_MS = 2_000;
/** Waits between looks at a schedule left to other nodes. */
const LOOK: Backoff = { firstMs: 10, longestMs: 250 };

/** A step of a schedule, with its kind, for counting its ticks. */
type Step = Advance & { readonly kind: string };

/**
 * Turns due ticks of recurring schedules into instances, each exactly once: it plans from the
 * store's state and advances schedules by compare-and-set, so several nodes may do so at once.
 */
export class Scheduler {
  readonly #options: PartContext;
  #isStarted = false;
  #isStartDue = false;
  #startAdvances: readonly Step[] | null = null;
  #isRunning = false;
  #mustRun = false;
  readonly #wake: LazyTimer;
  #nextAt: number | null = null;
  /** Epoch ms until which ticks are not advanced early. */
  #notEarlyUntil = 0;
  readonly #peerWatch = new PeerWatch();
  readonly #corrections: ClockCorrections;
  readonly #warmStarts: WarmStarts;
  /** Logged versions of the time zone database of other nodes. */
  readonly #foreignZones = new Set<string>();
  /** Called when the loop has next got a step further. */
  #onProgress: (() => void)[] = [];

  constructor(options: PartContext) {
    this.#options = options;
    this.#wake = new LazyTimer(options.clock, () => this.poke(), { isExact: true });
    this.#corrections = new ClockCorrections(options);
    this.#warmStarts = new WarmStarts(options);
  }

  /** The next tick of any schedule, epoch ms; null without ticks. */
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

  /** Continue after a {@link stop}, within one run of the daemon. */
  resume(): void {
    this.#isStarted = true;
    this.poke();
  }

  stop(): void {
    this.#isStarted = false;
    this.#wake.cancel();
    this.#warmStarts.stop();
  }

  /** A schedule was written, or is due. */
  poke(): void {
    this.#mustRun = true;
    if (this.#isStarted && !this.#isRunning) void this.#run();
  }

  /**
   * Decide on the due ticks of a schedule that is about to change: recent ticks run, ticks of a
   * downtime are recorded as missed.
   */
  async settle(record: ScheduleRecord): Promise<void> {
    const nowMs = this.#options.clock.now().wallMs;
    // One record for each of the last ticks: their times are unknown after the change.
    const spec = { ...record.spec, misfire: "all", misfireWithinMs: Infinity } as const;
    const advance = this.#planOrPutOff({ ...record, spec }, nowMs);
    if (advance.cursor === record.cursor) return;
    const isLate = ({ scheduledFor }: NewInstance) =>
      !this.#isStarted || nowMs - scheduledFor! > GRACE_MS;
    const passed = advance.fates.map((fate) =>
      fate.fate === "missed" ? { ...fate, reason: CHANGED } : fate
    );
    const late = advance.fires.filter(isLate).map(({ scheduledFor }) =>
      fateOf(scheduledFor!, "missed", CHANGED)
    );
    const fires = advance.fires.filter((fire) => !isLate(fire));
    await this.#advance([{ ...advance, isCatchUp: false, fires, fates: [...passed, ...late] }]);
  }

  /** A minute has passed without a tick: the clock may have been corrected. */
  lookAtClock(): void {
    if (this.#wake.dueMs === null) this.poke();
  }

  /** Note the recorded time of the store, and the time by its clock, epoch ms. */
  noteRecorded(recordedMs: number, nowMs: number): void {
    this.#corrections.noteRecorded(recordedMs, nowMs);
  }

  /**
   * Run the loop once more. Resolves after its next step, even if the store refused it; at once
   * while the scheduler is stopped. Never resolves if the loop is stuck.
   */
  progress(): Promise<void> {
    if (!this.#isStarted) return Promise.resolve();
    const progressed = new Promise<void>((resolve) => this.#onProgress.push(resolve));
    this.poke();
    return progressed;
  }

  #noteProgress(): void {
    if (this.#onProgress.length === 0) return;
    for (const done of this.#onProgress.splice(0)) done();
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
      // The store may have been closed meanwhile.
      if (!this.#isStarted) return;
      this.#options.storeHealth.failed(error, "advance the schedules");
      this.#sleep(RETRY_MS);
    } finally {
      this.#isRunning = false;
      this.#noteProgress();
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
        // It is due by the store's clock, and ours may be behind.
        const advances = ours.slice(from, from + ADVANCE_BATCH).map((record) =>
          this.#planOrPutOff(record, Math.max(at.wallMs, record.nextAt ?? 0))
        );
        await this.#advance(advances);
        this.#noteProgress();
      }
      if (count < DUE_MAX || ours.length === 0) return;
    }
  }

  /** Advance ticks that are due in some milliseconds, if nothing can change their fate. */
  async #advanceAhead(): Promise<void> {
    const { store, clock, earlyClaims } = this.#options;
    const at = clock.now();
    const dueBy = earlyClaims.untilMs(at.wallMs);
    const isSoon = this.#nextAt !== null && this.#nextAt > at.wallMs && this.#nextAt <= dueBy;
    if (!isSoon || !this.#isStarted || this.#isTooEarly(at.wallMs)) return;
    // Ticks not made early are made on time, and log their problems then.
    this.#notEarlyUntil = dueBy;
    try {
      const found = await store.dueSchedules({ at, dueBy, limit: ADVANCE_BATCH });
      const ahead = found.filter(({ nextAt }) => nextAt! > at.wallMs);
      // With several batches the most urgent start first, and finding them takes time.
      if (ahead.length === 0 || found.length === ADVANCE_BATCH) return;
      const advances = ahead.map((record) => this.#planAhead(record)).filter((one) => one !== null);
      earlyClaims.expect(ahead[0]!.nextAt!);
      const made = advances.length === 0 ? 0 : await this.#advance(advances);
      if (made === ahead.length) this.#notEarlyUntil = 0;
    } catch (error) {
      if (!isJobError(error)) throw error;
    }
  }

  /** True if ticks that are due soon after a time, epoch ms, are not advanced early. */
  #isTooEarly(nowMs: number): boolean {
    const leftMs = this.#notEarlyUntil - nowMs;
    // If it is longer than the longest lead, the clock was set back.
    return leftMs > 0 && leftMs <= AHEAD_MS_MAX;
  }

  #isLeft(record: ScheduleRecord, nowMs: number): boolean {
    const { registry } = this.#options;
    const isHere = registry.find(record.kind) !== undefined ||
      registry.disabledBecause(record.kind) !== undefined;
    return !isHere && this.#peerWatch.isLeft(record, nowMs);
  }

  // By priority, as instances start.
  #sort(due: ScheduleRecord[]): void {
    const { registry } = this.#options;
    const priorityOf = ({ priority, kind }: ScheduleRecord) =>
      priority ?? registry.find(kind)?.options.priority ?? Infinity;
    const keyed = due.map((record) => ({ record, priority: priorityOf(record) }));
    keyed.sort((a, b) => a.priority - b.priority || a.record.nextAt! - b.record.nextAt!);
    for (const [index, { record }] of keyed.entries()) due[index] = record;
  }

  /** Returns the number of advanced ones. */
  async #advance(advances: readonly Step[]): Promise<number> {
    const { store, clock, events } = this.#options;
    const advanced = store.advance({ at: clock.now(), advances });
    // In the same turn of the event loop, so that a free worker's claim shares the transaction.
    if (advances.some(({ fires }) => fires.length > 0)) this.#options.due();
    const { value, at } = await advanced;
    for (const [index, result] of value.entries()) {
      if (result.status === "advanced") this.#advanced(advances[index]!, result.skipped.length);
      for (const instance of result.accepted) events.changed(instance, at);
      // A running one is reported after its end.
      for (const instance of result.replaced) {
        if (isFinal(instance.state)) events.changed(instance, at);
      }
    }
    return value.filter(({ status }) => status === "advanced").length;
  }

  #advanced({ scheduleId: id, kind, nextAt, fates }: Step, skippedCount: number): void {
    this.#warmStarts.expect({ id, kind }, nextAt);
    const sumOf = (wanted: "missed" | "skipped") =>
      fates.reduce((sum, { fate, count }) => sum + (fate === wanted ? count : 0), 0);
    const skipped = skippedCount + sumOf("skipped");
    this.#options.ticks.add(kind, { missed: sumOf("missed"), skipped });
  }

  // The ticks of `@reboot`. A retry has the same ticks, so the store refuses existing ones.
  async #fireAtStart(): Promise<void> {
    if (!this.#isStartDue) return;
    const { store, clock } = this.#options;
    // By the store's time, which decides due times.
    const asked = clock.now();
    const { at } = await store.nextDue({ at: asked, kinds: NO_KINDS });
    await this.#corrections.check(at, asked);
    const advances = this.#startAdvances ??= await startAdvances(
      this.#options,
      this.#warmStarts,
    );
    for (let from = 0; from < advances.length; from += ADVANCE_BATCH) {
      await this.#advance(advances.slice(from, from + ADVANCE_BATCH));
    }
    this.#startAdvances = null;
    this.#isStartDue = false;
  }

  #planAhead(record: ScheduleRecord): Step | null {
    try {
      const advance = this.#plan(record, record.nextAt!);
      // Nothing starts at the time of a merely expected tick.
      const canStart = advance.fires.length === 1 && !advance.isExpected;
      return canStart ? { ...advance, isAhead: true } : null;
    } catch (error) {
      if (isJobError(error)) return null;
      throw error;
    }
  }

  // An unplannable one, whose zone is unknown here, must not delay the others.
  #planOrPutOff(record: ScheduleRecord, nowMs: number): Step {
    try {
      return this.#plan(record, nowMs);
    } catch (error) {
      this.#options.logger.error(`Cannot plan schedule "${record.id}": trying again later`, {
        kind: record.kind,
        error: toJobError(error, "Cannot plan").message,
      });
      return this.#putOff(record, nowMs);
    }
  }

  #putOff(record: ScheduleRecord, nowMs: number): Step {
    return { ...stepOf(record, record.cursor), nextAt: nowMs + PUT_OFF_MS };
  }

  #plan(record: ScheduleRecord, nowMs: number): Step {
    const { registry, node, ids } = this.#options;
    this.#compareZones(record);
    const plan = planAdvance(record, nowMs);
    const job = registry.find(record.kind);
    const step = {
      ...stepOf(record, plan.cursor),
      nextAt: plan.nextAt,
      isCatchUp: isCatchUp(record.spec, plan.fires, nowMs),
      tzVersion: this.#options.tzVersion,
    };
    if (!job && registry.disabledBecause(record.kind) === undefined) {
      return this.#putOff(record, nowMs);
    }
    if (!job) {
      const skipped = plan.fires.map((tick) => fateOf(tick, "skipped", "disabled"));
      return { ...step, fates: [...plan.fates, ...skipped] };
    }
    const fires = plan.fires.map((tick) =>
      tickInstance(job, record, { at: tick, id: ids(), node })
    );
    return { ...step, fires, fates: plan.fates, ...(isExternal(job) ? { isExpected: true } : {}) };
  }

  // With different rules for a zone, one expression means different times on two nodes.
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
    // By the store's time: a node with a fast clock must not ask repeatedly.
    const leftMs = scheduleAt <= at ? this.#peerWatch.delayMs : null;
    // The duration of the response counts as part of the wait.
    const elapsedMs = clock.now().wallMs - asked.wallMs;
    const isTooEarly = scheduleAt <= this.#notEarlyUntil && this.#isTooEarly(at);
    const leadMs = isTooEarly ? 0 : this.#options.earlyClaims.untilMs(at) - at;
    this.#sleep(leftMs ?? Math.max(SLEEP_MIN_MS, scheduleAt - at - elapsedMs - leadMs));
  }

  #sleep(delayMs: number): void {
    if (this.#isStarted) this.#wake.setIn(Math.min(delayMs, SLEEP_MAX_MS));
  }
}

/** True if ticks passed during a downtime and each has to run. */
function isCatchUp({ misfire }: ScheduleSpec, fires: readonly number[], nowMs: number): boolean {
  if (misfire !== "all" || fires.length === 0) return false;
  return fires.length > 1 || nowMs - fires[0]! > GRACE_MS;
}

/**
 * One tick, at now, for each `@reboot` schedule of a registered job. Even after a crash: with
 * overlap "skip" the store drops it while an earlier start's instance is unfinished.
 */
async function startAdvances(
  options: PartContext,
  warmStarts: WarmStarts,
): Promise<readonly Step[]> {
  const { store, registry, clock, node, ids } = options;
  const { wallMs } = clock.now();
  const found: Step[] = [];
  for await (const page of schedulePages(store, {})) {
    for (const record of page) {
      warmStarts.expect(record, record.nextAt);
      const { cron, startsAt = -Infinity, endsAt = Infinity } = record.spec;
      const job = registry.find(record.kind);
      if (cron !== REBOOT || !job || wallMs < startsAt || wallMs >= endsAt) continue;
      // The clock may have been set back since the last start.
      const at = Math.max(wallMs, record.cursor + 1);
      const fires = [tickInstance(job, record, { at, id: ids(), node })];
      found.push({ ...stepOf(record, at), fires });
    }
  }
  return found;
}

/** A step of a schedule to a new cursor without ticks; without a next tick. */
function stepOf(record: ScheduleRecord, to: number): Step {
  const { id: scheduleId, kind, generation, cursor, spec: { overlap } } = record;
  const cursors = { expectedCursor: cursor, cursor: to, nextAt: null };
  return { scheduleId, kind, generation, ...cursors, overlap, fires: [], fates: [] };
}

function fateOf(tick: number, fate: "skipped" | "missed", reason: string) {
  return { from: tick, to: tick, count: 1, fate, reason, instanceId: null } as const;
}

const NO_KINDS: ReadonlySet<string> = new Set();

/**
 * Watches due schedules of jobs that this node does not have. Nodes that have them advance them,
 * usually within milliseconds.
 */
class PeerWatch {
  readonly #seen = new Map<string, { readonly nextAt: number | null; readonly sinceMs: number }>();
  #looks = 0;

  /** True while a schedule is left to other nodes, until apparently none of them has the job. */
  isLeft({ id, nextAt }: ScheduleRecord, nowMs: number): boolean {
    const seen = this.#seen.get(id);
    if (seen?.nextAt === nextAt) return nowMs - seen.sinceMs < LEFT_MS;
    this.#seen.set(id, { nextAt, sinceMs: nowMs });
    return true;
  }

  /** Note the schedules that are still due. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    if (this.#seen.size === 0) this.#looks = 0;
  }

  /** Wait before the next look, in milliseconds; null if nothing is left to others. */
  get delayMs(): number | null {
    return this.#seen.size === 0 ? null : backoffMs(LOOK, this.#looks++);
  }
}
