import type { ScheduleRecord, ScheduleSpec } from "../../core/time/schedule.ts";
import { jitterOf, skipReason } from "../../core/time/tick_decision.ts";
import { planAdvance } from "../../core/time/ticks.ts";
import { Heap } from "./heap.ts";
import { type SimulatedLimit, Slots } from "./slots.ts";

/** A schedule of a simulated job. */
export interface SimulatedSchedule {
  readonly id: string;
  readonly spec: ScheduleSpec;
  readonly priority: number;
  readonly limits: readonly SimulatedLimit[];
}

/** A simulated job: every run takes the same time and succeeds. */
export interface SimulatedJob {
  readonly kind: string;
  readonly durationMs: number;
  /** False if its runs take no worker. */
  readonly hasSlot?: boolean;
  readonly schedules: readonly SimulatedSchedule[];
}

/** Parameters of {@link simulate}. */
export interface SimulationInput {
  readonly jobs: readonly SimulatedJob[];
  /** Attempts at once. */
  readonly workers: number;
  /** Name of the node, which the jitter depends on. */
  readonly node: string;
  /** The schedules begin here, epoch ms. */
  readonly fromMs: number;
  /** Ticks are later than this, epoch ms; `fromMs` by default. */
  readonly afterMs?: number;
  /** Epoch ms, excluded. */
  readonly toMs: number;
}

/** A tick and its outcome. Times are epoch ms. */
export interface SimulatedTick {
  readonly kind: string;
  readonly scheduleId: string;
  readonly at: number;
  fate: "ran" | "skipped" | "coalesced" | "missed" | "replaced" | "pending";
  reason: string | null;
  /** True if the previous one was unfinished. */
  isOverlap: boolean;
  startedAt: number | null;
  endedAt: number | null;
}

interface Lane {
  readonly job: SimulatedJob;
  readonly schedule: SimulatedSchedule;
  readonly order: number;
  record: ScheduleRecord;
  /** Unfinished runs, oldest first. */
  open: Run[];
  /** Number of them that wait for an earlier one. */
  blockedCount: number;
}

interface Run {
  readonly lane: Lane;
  readonly tick: SimulatedTick;
  readonly dueAt: number;
  readonly seq: number;
  /** Time from which it may be claimed: its due time, or later if a rate limit delays it. */
  wakeAt: number;
  endAt: number;
  place: "blocked" | "later" | "ready" | "parked" | "running" | "gone";
}

/** Load of the queue during the simulation. */
export interface SimulationLoad {
  /** Most concurrent waits of runs for a worker or a limit, and the first time of that. */
  readonly depthMax: number;
  readonly depthMaxAt: number | null;
  /** Most runs at once, with or without a worker. */
  readonly runningMax: number;
  /** Most workers that were busy at once. */
  readonly busyMax: number;
  /** Milliseconds that workers were busy, added up. */
  readonly busyMs: number;
}

/**
 * Simulate the manager on a clock that jumps from one event to the next: with the same plan of
 * ticks, the same overlap rules and the same order of claims.
 *
 * @param settled called with each tick once its fate is known, and at the end with pending ones
 */
export function simulate(
  input: SimulationInput,
  settled: (tick: SimulatedTick) => void,
): SimulationLoad {
  return new Simulation(input, settled).run();
}

class Simulation {
  readonly #input: SimulationInput;
  readonly #settled: (tick: SimulatedTick) => void;
  readonly #lanes: Lane[] = [];
  readonly #ticks = new Heap<Lane>((left, right) =>
    left.record.nextAt! < right.record.nextAt! ||
    (left.record.nextAt === right.record.nextAt && left.order < right.order)
  );
  readonly #later = new Heap<Run>((left, right) =>
    left.wakeAt < right.wakeAt || (left.wakeAt === right.wakeAt && left.seq < right.seq)
  );
  readonly #slots = new Slots<Run>();
  readonly #ready = new Heap<Run>(isClaimedBefore);
  /** Runs that need no worker. */
  readonly #readyBeside = new Heap<Run>(isClaimedBefore);
  readonly #running = new Heap<Run>((left, right) =>
    left.endAt < right.endAt || (left.endAt === right.endAt && left.seq < right.seq)
  );
  /** Runs that have started but not ended. */
  #active = 0;
  /** Running ones with a worker. */
  #busy = 0;
  #waiting = 0;
  #seq = 0;
  #load = {
    depthMax: 0,
    depthMaxAt: null as number | null,
    runningMax: 0,
    busyMax: 0,
    busyMs: 0,
  };

  constructor(input: SimulationInput, settled: (tick: SimulatedTick) => void) {
    this.#input = input;
    this.#settled = settled;
    let order = 0;
    for (const job of input.jobs) {
      for (const schedule of job.schedules) {
        const record = recordOf(job, schedule, input);
        const lane: Lane = { job, schedule, order: order++, record, open: [], blockedCount: 0 };
        this.#lanes.push(lane);
        if (record.nextAt !== null) this.#ticks.add(lane);
      }
    }
  }

  run(): SimulationLoad {
    const { toMs } = this.#input;
    for (;;) {
      const tickAt = this.#ticks.first?.record.nextAt ?? Infinity;
      const endAt = firstOf(this.#running, "running")?.endAt ?? Infinity;
      const wakeAt = firstOf(this.#later, "later")?.wakeAt ?? Infinity;
      const now = Math.min(tickAt, endAt, wakeAt);
      if (now >= toMs) break;
      while (this.#ticks.first?.record.nextAt === now) this.#tick(this.#ticks.take()!, now);
      while (firstOf(this.#running, "running")?.endAt === now) {
        this.#end(this.#running.take()!, now);
      }
      while (firstOf(this.#later, "later")?.wakeAt === now) this.#queue(this.#later.take()!, now);
      this.#claim(now);
    }
    for (const { open } of this.#lanes) for (const { tick } of open) this.#settled(tick);
    return this.#load;
  }

  #tick(lane: Lane, now: number): void {
    const plan = planAdvance(lane.record, now);
    for (const { from, fate, reason } of plan.fates) {
      const isRun = fate === "fired" || fate === "expected";
      this.#settle(this.#newTick(lane, from), isRun ? "ran" : fate, reason);
    }
    for (const at of plan.fires) this.#fire(lane, at, now);
    const { runsMax = Infinity } = lane.record.spec;
    const isFinished = (lane.record.runs ?? 0) >= runsMax;
    const nextAt = isFinished ? null : plan.nextAt;
    lane.record = { ...lane.record, cursor: plan.cursor, nextAt };
    if (nextAt !== null) this.#ticks.add(lane);
  }

  #fire(lane: Lane, at: number, now: number): void {
    const { record, schedule: { id, spec } } = lane;
    const { overlap } = spec;
    const runs = record.runs ?? 0;
    const isBusy = lane.open.length > 0;
    const tick = this.#newTick(lane, at);
    tick.isOverlap = isBusy;
    const facts = { overlap, runs, skipNext: 0, isPaused: false, isBusy, isCatchUp: false };
    const reason = skipReason(record, at, { ...facts, queuedCount: lane.blockedCount });
    if (reason !== null) return this.#settle(tick, "skipped", reason);
    if (overlap === "replace") this.#replace(lane, now);
    lane.record = { ...record, runs: runs + 1 };
    const dueAt = at + jitterOf(id, this.#input.node, spec.jitterMs);
    const run: Run = {
      lane,
      tick,
      dueAt,
      wakeAt: dueAt,
      seq: this.#seq++,
      endAt: Infinity,
      place: "blocked",
    };
    const mustWait = overlap !== "allow" && lane.open.length > 0;
    lane.open.push(run);
    if (mustWait) lane.blockedCount += 1;
    else this.#queue(run, now);
  }

  // Waiting runs are canceled. Running ones are stopped, and here end at once.
  #replace(lane: Lane, now: number): void {
    for (const run of lane.open) {
      if (run.place === "running") this.#stop(run, now);
      else if (run.place === "ready" || run.place === "parked") this.#waiting -= 1;
      run.place = "gone";
      this.#settle(run.tick, "replaced", "replaced");
    }
    lane.open = [];
    lane.blockedCount = 0;
  }

  #queue(run: Run, now: number): void {
    if (run.wakeAt > now) {
      run.place = "later";
      this.#later.add(run);
      return;
    }
    run.place = "ready";
    (hasSlot(run) ? this.#ready : this.#readyBeside).add(run);
    this.#waiting += 1;
  }

  // Runs that waited for its slots try again.
  #stop(run: Run, now: number): void {
    this.#active -= 1;
    if (hasSlot(run)) {
      this.#busy -= 1;
      this.#load.busyMs += now - run.tick.startedAt!;
    }
    run.tick.endedAt = now;
    for (const other of this.#slots.free(run.lane.schedule.limits)) {
      if (other.place !== "parked") continue;
      this.#waiting -= 1;
      this.#queue(other, now);
    }
  }

  #claim(now: number): void {
    for (let run = this.#next(); run !== null; run = this.#next()) {
      const { limits } = run.lane.schedule;
      const opensAt = this.#slots.block(limits, run, now);
      if (opensAt !== null) {
        this.#park(run, opensAt);
        continue;
      }
      this.#slots.take(limits, now);
      this.#waiting -= 1;
      this.#active += 1;
      if (hasSlot(run)) this.#busy += 1;
      run.place = "running";
      run.tick.startedAt = now;
      run.endAt = now + run.lane.job.durationMs;
      this.#running.add(run);
    }
    const load = this.#load;
    load.runningMax = Math.max(load.runningMax, this.#active);
    load.busyMax = Math.max(load.busyMax, this.#busy);
    if (this.#waiting <= load.depthMax) return;
    load.depthMax = this.#waiting;
    load.depthMaxAt = now;
  }

  /** The next run in claim order. Without a free worker, only slotless runs count. */
  #next(): Run | null {
    const beside = firstOf(this.#readyBeside, "ready");
    const other = this.#busy < this.#input.workers ? firstOf(this.#ready, "ready") : undefined;
    if (!beside && !other) return null;
    const isBeside = beside && (!other || isClaimedBefore(beside, other));
    return (isBeside ? this.#readyBeside : this.#ready).take()!;
  }

  #park(run: Run, opensAt: number): void {
    run.place = "parked";
    if (opensAt === Infinity) return;
    this.#waiting -= 1;
    run.wakeAt = opensAt;
    run.place = "later";
    this.#later.add(run);
  }

  #end(run: Run, now: number): void {
    const { lane, tick } = run;
    this.#stop(run, now);
    run.place = "gone";
    lane.open.splice(lane.open.indexOf(run), 1);
    this.#settle(tick, "ran", null);
    const next = lane.open[0];
    if (next?.place !== "blocked") return;
    lane.blockedCount -= 1;
    this.#queue(next, now);
  }

  #settle(tick: SimulatedTick, fate: SimulatedTick["fate"], reason: string | null): void {
    tick.fate = fate;
    tick.reason = reason;
    this.#settled(tick);
  }

  #newTick(lane: Lane, at: number): SimulatedTick {
    return {
      kind: lane.job.kind,
      scheduleId: lane.schedule.id,
      at,
      fate: "pending",
      reason: null,
      isOverlap: false,
      startedAt: null,
      endedAt: null,
    };
  }
}

// A replaced run stays in its heap until it reaches the front.
function firstOf(heap: Heap<Run>, place: Run["place"]): Run | undefined {
  while (heap.first && heap.first.place !== place) heap.take();
  return heap.first;
}

function hasSlot({ lane }: Run): boolean {
  return lane.job.hasSlot ?? true;
}

// The order of claims: by priority, then due time, then acceptance.
function isClaimedBefore(left: Run, right: Run): boolean {
  const difference = left.lane.schedule.priority - right.lane.schedule.priority ||
    left.dueAt - right.dueAt || left.seq - right.seq;
  return difference < 0;
}

function recordOf(
  job: SimulatedJob,
  { id, spec }: SimulatedSchedule,
  { fromMs, afterMs = fromMs }: SimulationInput,
): ScheduleRecord {
  const record: ScheduleRecord = {
    id,
    kind: job.kind,
    origin: "config",
    spec,
    specHash: "",
    generation: 1,
    cursor: afterMs,
    startAt: fromMs,
    nextAt: null,
    argumentsJson: "[]",
    priority: null,
    timeoutMs: null,
    retryMax: null,
    createdAt: fromMs,
    updatedAt: fromMs,
  };
  return { ...record, nextAt: planAdvance(record, afterMs).nextAt };
}
