import type { UniqueRule } from "../../src/core/job/limits.ts";
import type { InstanceQuery } from "../../src/core/query.ts";
import type { Overlap, ScheduleRecord } from "../../src/core/time/schedule.ts";
import { isFinal, JOB_STATES } from "../../src/core/state.ts";
import type { Random } from "../../src/platform/random.ts";
import type { Advance, NewInstance, Settlement } from "../../src/store/store.ts";
import { TICK_MS } from "./model_rules.ts";
import { changeTimes } from "./model_limits.ts";
import {
  KINDS,
  LIMITS_COUNT,
  limitsOf,
  NODES,
  RATED_FROM,
  type Step,
  type Turn,
} from "./model_turns.ts";
import type { StoreModel } from "./store_model.ts";

/** Start of every trail, epoch ms. */
export const START = Date.UTC(2026, 0, 1);
const OVERLAPS: readonly Overlap[] = ["skip", "queue", "replace", "allow"];
const SCHEDULES = ["config:a:0", "config:b:0", "config:c:0"];
/**
 * Rows at which a trail deletes, so that all can be compared: of most trails, and of those with
 * many queues.
 */
const ROWS_MAX = 60;
const WIDE_ROWS_MAX = 150;

/** What some attempts report. */
const USED = { usage: { maxRssBytes: 4_096, cpuMs: 3 } };
const REPORTED = { progress: { done: 1, total: 2 }, ...USED };

const ALONE: readonly StepType[] = ["reopen", "clear", "list"];
const QUEUES = ["x", "y", "z"];
const WIDE_QUEUES = "bdefghijklmn".split("").map((letter) => `account ${letter}`);

type StepType = Step["type"];

/** The weight of each step, before a trail chooses its own. */
const WEIGHTS: Readonly<Record<StepType, number>> = {
  enqueue: 14,
  claim: 16,
  renew: 3,
  settle: 14,
  cancel: 4,
  reap: 4,
  redrive: 2,
  progress: 1,
  putSchedule: 3,
  deleteSchedule: 1,
  advance: 8,
  backfill: 2,
  pause: 1,
  resume: 1,
  retain: 2,
  clear: 1,
  list: 2,
  reopen: 1,
};

/**
 * Draws the turns of one trail. Each trail has its own mixture, so that some do almost only one
 * thing.
 */
export class TurnDrawer {
  readonly #random: Random;
  readonly #model: StoreModel;
  readonly #weights: [StepType, number][] = [];
  /**
   * Trails that set the clock back have no rates and no keys kept for a time, whose meaning would
   * be loose.
   */
  readonly #isSetBack: boolean;
  readonly #groupShare: number;
  readonly #limits: [number, number];
  readonly #keyShare: number;
  readonly #deadlineShare: number;
  /** Many queues in large batches, so that claims read beyond the first rows. */
  readonly #isWide: boolean;
  readonly #failShare: number;
  #count = 0;

  constructor(random: Random, model: StoreModel) {
    this.#random = random;
    this.#model = model;
    this.#isSetBack = this.#chance(0.25);
    this.#groupShare = this.#pick([0, 0.3, 0.8]);
    this.#limits = [this.#limitsNumber(), this.#limitsNumber()];
    this.#keyShare = this.#pick([0, 0.2, 0.7]);
    this.#deadlineShare = this.#pick([0, 0, 0.3]);
    this.#isWide = this.#chance(0.2);
    // A failed turn may have advanced the recorded time, which shows when the clock is set back.
    this.#failShare = this.#isSetBack ? 0 : this.#pick([0, 0.1]);
    for (const [type, weight] of Object.entries(WEIGHTS) as [StepType, number][]) {
      this.#weights.push([type, weight * this.#pick([0.3, 1, 1, 3])]);
    }
  }

  /** The next turn, chosen by the model's content. */
  draw(): Turn {
    if (this.#chance(0.12)) return this.#wake();
    const afterMs = this.#chance(0.5) ? 0 : this.#pick([1, 100, 500, 1_000, 2_500, 16_000]);
    const backMs = this.#isSetBack && this.#chance(0.05) ? this.#pick([500, 5_000, 3_600_000]) : 0;
    const count = this.#chance(this.#groupShare) ? 2 + this.#below(4) : 1;
    const steps: Step[] = [];
    for (let index = 0; index < count; index++) {
      const step = this.#step(this.#type());
      // Steps that are no request, or read at another time than they write, get a turn of their
      // own.
      if (step && ALONE.includes(step.type)) {
        return { afterMs, backMs: 0, fails: null, steps: [step] };
      }
      if (step) steps.push(step);
    }
    const fails = this.#chance(this.#failShare) ? this.#pick(["commit", "write"] as const) : null;
    return { afterMs, backMs, fails, steps };
  }

  // A node claims exactly when it may find something, or just before.
  #wake(): Turn {
    const index = this.#below(NODES.length);
    const [node, limits] = [NODES[index]!, this.#limits[index]!];
    const { wallMs } = this.#model;
    const times = changeTimes(this.#model, { node, limits: limitsOf(limits) }, wallMs);
    const next = times.length > 0 ? this.#pick(times.slice(0, 3)) : wallMs;
    const afterMs = Math.max(0, next - wallMs - this.#pick([0, 0, 1]));
    const step: Step = { type: "claim", node, kinds: [...KINDS], limits, limit: 100 };
    return { afterMs, backMs: 0, fails: null, steps: [step] };
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }

  #some<T>(items: readonly T[], max: number): T[] {
    if (items.length === 0) return [];
    return Array.from({ length: 1 + this.#below(max) }, () => this.#pick(items));
  }

  #limitsNumber(): number {
    return this.#below(this.#isSetBack ? RATED_FROM : LIMITS_COUNT);
  }

  #type(): StepType {
    if (this.#model.rows.length > (this.#isWide ? WIDE_ROWS_MAX : ROWS_MAX)) return "clear";
    let left = this.#random.next() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [type, weight] of this.#weights) {
      left -= weight;
      if (left < 0) return type;
    }
    return "claim";
  }

  #step(type: StepType): Step | null {
    const { wallMs } = this.#model;
    switch (type) {
      case "enqueue":
        return { type, instances: this.#batch() };
      case "claim":
        return this.#claim();
      case "renew":
        return { type, node: this.#pick(NODES), claims: this.#some(this.#claims(), 3) };
      case "settle":
        return this.#settle();
      case "cancel":
        return { type, query: this.#query(), limit: this.#pick([1, 2, 1_000]) };
      case "reap":
        return { type, node: this.#pick(NODES) };
      case "redrive":
        return this.#redrive();
      case "progress": {
        const [claim] = this.#some(this.#claims(), 1);
        const progress = { done: this.#below(9), total: this.#pick([null, 9]) };
        return claim ? { type, claim, progress } : null;
      }
      case "pause": {
        const kind = this.#pick([null, ...KINDS]);
        const until = this.#pick([null, wallMs + 700, wallMs + 3_000]);
        return { type, pause: { kind, until, reason: "test" } };
      }
      case "resume":
        return { type, kind: this.#pick([null, ...KINDS]) };
      case "clear": {
        const query = this.#chance(0.5) ? {} : this.#query();
        return { type, query, settledBefore: this.#model.at + this.#pick([0, 1, -2_000]) };
      }
      case "list":
        return { type, query: this.#query(), limit: this.#pick([1, 3, 1_000]) };
      case "retain":
      case "reopen":
        return { type };
      default:
        return this.#scheduleStep(type);
    }
  }

  #id(): string {
    this.#count += 1;
    return `019b76da-a800-7000-8000-${this.#count.toString(16).padStart(12, "0")}`;
  }

  #newInstance(given: Partial<NewInstance> = {}): NewInstance {
    const { wallMs } = this.#model;
    const kind = given.kind ?? this.#pick(KINDS);
    const inMs = this.#pick([null, 0, 0, -50, 400, 2_000, 10_000]);
    const dueAt = inMs === null ? null : wallMs + inMs;
    const isLimited = this.#chance(this.#deadlineShare);
    return {
      id: this.#id(),
      kind,
      priority: this.#below(3),
      queueKey: this.#chance(0.5) ? kind : this.#pick(this.#isWide ? WIDE_QUEUES : QUEUES),
      uniqueKey: this.#chance(this.#keyShare) ? this.#pick(["k1", "k2"]) : null,
      argumentsJson: this.#pick(["[]", "[]", "[1]"]),
      dueAt,
      scheduleId: null,
      scheduledFor: null,
      retryOf: null,
      deadlineAt: isLimited ? wallMs + this.#pick([0, 300, 1_500, 20_000]) : null,
      retryMax: 2,
      crashesMax: this.#below(3),
      timeoutMs: 0,
      keepSuccessMs: this.#pick([0, 3_000]),
      keepFailureMs: this.#pick([0, 8_000]),
      ...(this.#chance(0.7) ? { unique: this.#unique() } : {}),
      ...(this.#chance(0.1) ? { waitingMax: 1 + this.#below(4) } : {}),
      ...given,
    };
  }

  #unique(): UniqueRule {
    const forMs = this.#isSetBack ? null : this.#pick([null, 1_000, 6_000]);
    return { forMs, onConflict: this.#pick(["refuse", "keep", "replace"]) };
  }

  #batch(): readonly NewInstance[] {
    const known = this.#model.rows.map(({ instance }) => instance.id);
    const count = this.#isWide ? this.#pick([1, 8, 20]) : this.#pick([1, 1, 2, 4]);
    const batch: NewInstance[] = [];
    for (let index = 0; index < count; index++) {
      const ids = [...known, ...batch.map(({ id }) => id)];
      const isSameId = ids.length > 0 && this.#chance(0.05);
      batch.push(this.#newInstance(isSameId ? { id: this.#pick(ids) } : {}));
    }
    return batch;
  }

  #claim(): Step {
    const index = this.#below(NODES.length);
    // A node changes its limits from time to time, as a reload does.
    if (this.#chance(0.1)) this.#limits[index] = this.#limitsNumber();
    const kinds = index === 0 || this.#chance(0.5) ? [...KINDS] : this.#some(KINDS, 2);
    return {
      type: "claim",
      node: NODES[index]!,
      kinds,
      limits: this.#limits[index]!,
      limit: this.#pick([1, 2, 5, 100]),
    };
  }

  /** Current claims, a few stale ones, and one that never existed. */
  #claims(): readonly { readonly id: string; readonly fence: number }[] {
    const rows = this.#model.rows.filter(({ instance, leaseUntilMs }) =>
      instance.fence > 0 && (leaseUntilMs !== null || this.#chance(0.15))
    );
    return rows.flatMap(({ instance: { id, fence }, settled }) => {
      const [past] = settled.keys();
      return past !== undefined && this.#chance(0.2) ? [{ id, fence: past }] : [{ id, fence }];
    });
  }

  #settle(): Step {
    const settlements = this.#some(this.#claims(), 3).map((claim): Settlement => {
      const recorded = this.#model.row(claim.id)?.settled.get(claim.fence);
      const outcome = recorded !== undefined && this.#chance(0.7)
        ? JSON.parse(recorded) as Settlement["outcome"]
        : this.#outcome(this.#model.row(claim.id)?.instance.deadlineAt ?? null);
      return {
        ...{ ...claim, logs: [], outcome },
        ...(this.#chance(0.3) ? { version: "1.2" } : {}),
        ...(this.#chance(0.2) ? this.#pick<Partial<Settlement>>([REPORTED, USED]) : {}),
        ...(this.#chance(0.1) ? { endedAgoMs: this.#pick([0, 2_000, 60_000]) } : {}),
      };
    });
    return { type: "settle", node: this.#pick(NODES), settlements };
  }

  #outcome(deadlineAt: number | null): Settlement["outcome"] {
    const laterAt = this.#model.wallMs + this.#pick([0, 0, 500, 3_000, 30_000]);
    const dueAt = deadlineAt !== null && this.#chance(0.3)
      ? deadlineAt - this.#pick([0, 0, 1])
      : laterAt;
    const error = { name: "Error", message: "boom" };
    const final = { type: "final", resultsJson: null, error: null, isFailure: false } as const;
    return this.#pick<Settlement["outcome"]>([
      { ...final, state: "completed", reason: "ok", resultsJson: "[1]" },
      { ...final, state: "completed", reason: "ok" },
      { ...final, state: "terminated", reason: "error", error, isFailure: true },
      { ...final, state: "terminated", reason: "discarded", error },
      { ...final, state: "timedOut", reason: "timeout", error, isFailure: true },
      { type: "retry", dueAt, reason: this.#pick(["error", "timeout"]), error },
      { type: "crash", dueAt, error },
      { type: "snooze", dueAt },
      { type: "release", dueAt },
      { type: "release", dueAt, isUnstarted: true },
    ]);
  }

  #query(): InstanceQuery {
    const instances = this.#model.rows.map(({ instance }) => instance);
    const some = (count: number) => this.#some(instances, count).map(({ id }) => id);
    const time = this.#model.at - this.#pick([0, 1_000, 5_000]);
    return this.#pick<() => InstanceQuery>([
      () => ({ ids: some(3) }),
      () => ({ ids: some(1) }),
      () => ({ kinds: this.#some(KINDS, 2) }),
      () => ({ kinds: [this.#pick(KINDS)], states: this.#some(JOB_STATES, 3) }),
      () => ({ states: this.#some(JOB_STATES, 3), after: time }),
      () => ({ scheduleId: this.#pick(SCHEDULES) }),
      () => ({ uniqueKey: this.#pick(["k1", "k2"]) }),
      () => ({ before: time, kinds: [this.#pick(KINDS)] }),
      () => ({ idPrefix: some(1)[0] ?? "0", states: ["scheduled"] }),
      () => ({ isDead: true }),
      () => ({ endedAfter: time, node: this.#pick(NODES) }),
    ])();
  }

  #redrive(): Step | null {
    const finals = this.#model.rows.filter(({ instance }) =>
      isFinal(instance.state) || this.#chance(0.1)
    );
    if (finals.length === 0) return null;
    const instances = this.#some(finals, 2).map(({ instance }) =>
      this.#newInstance({ kind: instance.kind, uniqueKey: null, retryOf: instance.id })
    );
    const [first] = instances;
    if (this.#chance(0.05)) instances.push({ ...first! });
    return { type: "redrive", instances, isForced: this.#chance(0.2) };
  }

  #scheduleStep(type: "putSchedule" | "deleteSchedule" | "advance" | "backfill"): Step | null {
    const id = this.#pick(SCHEDULES);
    const record = this.#model.schedules.get(id);
    if (type === "deleteSchedule") return { type, id };
    if (!record || type === "putSchedule") {
      const generation = record?.generation ?? null;
      const isStale = this.#chance(0.1);
      const put = {
        record: this.#record(id, record),
        expectedGeneration: isStale ? (generation ?? 0) + 5 : generation,
      };
      return { type: "putSchedule", put };
    }
    if (type === "advance") {
      const others = [...this.#model.schedules.values()].filter((one) => one !== record);
      const advanced = this.#chance(0.3) ? [record, ...others, record] : [record];
      return { type, advances: advanced.map((one) => this.#advance(one)) };
    }
    const ticks = [...this.#model.fatesOf(id).keys(), record.cursor]
      .filter((tick) => tick <= record.cursor);
    const times = [...new Set(this.#some(ticks, 4))].sort((left, right) => left - right);
    const fires = times.map((tick) => this.#fire(record, tick));
    return { type, backfill: { scheduleId: id, fires, overlap: this.#pick(OVERLAPS) } };
  }

  #record(id: string, there: ScheduleRecord | undefined): ScheduleRecord {
    const now = Math.floor(this.#model.wallMs / TICK_MS) * TICK_MS;
    const wanted = now;
    const kind = id.split(":")[1]!;
    // A changed schedule keeps its cursor; a new one starts now, even if there was one before.
    const cursor = there && this.#chance(0.7) ? there.cursor : wanted;
    const { wallMs } = this.#model;
    return {
      id,
      kind,
      origin: "config",
      spec: {
        cron: null,
        everyMs: TICK_MS,
        timezone: "UTC",
        overlap: this.#pick(OVERLAPS),
        misfire: "all",
        misfireWithinMs: 86_400_000,
        jitterMs: 0,
        ...(this.#chance(0.3) ? { queueMax: 1 + this.#below(2) } : {}),
        ...(this.#chance(0.1) ? { runsMax: 1 + this.#below(6) } : {}),
      },
      specHash: "hash",
      generation: (there?.generation ?? 0) + 1,
      cursor,
      startAt: START - 30 * 86_400_000,
      nextAt: cursor + TICK_MS,
      argumentsJson: "[]",
      priority: null,
      timeoutMs: null,
      retryMax: null,
      createdAt: START,
      updatedAt: START,
      ...(this.#chance(0.1) ? { skipNext: 1 + this.#below(2) } : {}),
      ...(this.#chance(0.1) ? { skipUntil: wallMs + 2_000 } : {}),
    };
  }

  #fire(record: ScheduleRecord, tick: number): NewInstance {
    const lateMs = this.#chance(0.2) ? 300 : 0;
    const { kind, id: scheduleId } = record;
    return this.#newInstance({ kind, scheduleId, scheduledFor: tick, dueAt: tick + lateMs });
  }

  #advance(record: ScheduleRecord): Advance {
    const { id: scheduleId, generation, spec } = record;
    const late = Math.max(1, Math.floor((this.#model.wallMs - record.cursor) / TICK_MS));
    const fireCount = Math.min(late, this.#pick([1, 1, 2, 4]));
    const dropCount = this.#chance(0.3) ? Math.min(late, 1 + this.#below(4)) : 0;
    const first = record.cursor + TICK_MS;
    const from = first + dropCount * TICK_MS;
    const ticks = Array.from({ length: fireCount }, (_, index) => from + index * TICK_MS);
    const cursor = ticks.at(-1)!;
    const fates: Advance["fates"] = dropCount === 0 ? [] : [{
      ...{ from: first, to: from - TICK_MS, count: dropCount, instanceId: null, reason: null },
      fate: this.#pick(["coalesced", "missed", "skipped"]),
    }];
    const isStale = this.#chance(0.1);
    return {
      scheduleId,
      generation: isStale ? generation + 1 : generation,
      expectedCursor: record.cursor,
      cursor,
      nextAt: cursor + TICK_MS,
      fires: ticks.map((tick) => this.#fire(record, tick)),
      fates,
      overlap: spec.overlap,
      ...(fireCount > 1 ? { isCatchUp: this.#chance(0.5) } : {}),
      ...(this.#chance(0.2) ? { isAhead: true } : {}),
    };
  }
}
