import { skipReason } from "../../src/core/time/tick_decision.ts";
import type { Block, ClaimLimits } from "../../src/core/job/limits.ts";
import type { HistoryEntry, Instance } from "../../src/core/instance.ts";
import type { InstanceQuery } from "../../src/core/query.ts";
import type { ScheduleRecord } from "../../src/core/time/schedule.ts";
import { isFinal } from "../../src/core/state.ts";
import type { Instant } from "../../src/platform/clock.ts";
import type {
  Advance,
  AdvanceResult,
  Backfill,
  ClaimKey,
  ClaimRequest,
  EnqueueResult,
  NewInstance,
  Pause,
  PutSchedule,
  RedriveResult,
  RenewRequest,
  RenewResult,
  Settlement,
  SettleResult,
  StateCounts,
} from "../../src/store/store.ts";
import { claimableNow, ModelLimits } from "./model_limits.ts";
import {
  acceptedInstance,
  historyOf,
  resumedOrBegun,
  settledInstance,
  TICK_MS,
} from "./model_rules.ts";

/** An instance as the model knows it. */
export interface ModelRow {
  readonly seq: number;
  instance: Instance;
  /** True if it was seen due since it last waited; setting the clock back does not change that. */
  isSeenDue: boolean;
  /** True if it is held behind others of its schedule. */
  isHeld: boolean;
  /** Monotonic ms; null without a claim. */
  leaseUntilMs: number | null;
  readonly history: HistoryEntry[];
  /** The recorded settlements by fence, as JSON. */
  readonly settled: Map<number, string>;
}

/** The fate of one tick. */
export interface ModelFate {
  readonly fate: "fired" | "skipped" | "coalesced" | "missed" | "expected";
  readonly reason: string | null;
  readonly instanceId: string | null;
}

/** The model refuses, and the store must too. */
export class ModelRefusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/**
 * The `Store` interface, as simple as possible: lists walked from end to end, no index, no counter.
 * It is written from the contract, without the ledger.
 */
export class StoreModel {
  rows: ModelRow[] = [];
  readonly schedules = new Map<string, ScheduleRecord>();
  readonly fates = new Map<string, Map<number, ModelFate>>();
  readonly pauses = new Map<string | null, Pause>();
  readonly limits = new ModelLimits(this);
  /** The recorded time, which never decreases. */
  at = 0;
  wallMs = 0;
  monotonicMs = 0;
  /** True if one clock decides for all, so that nothing happens ahead of it. */
  readonly #hasOwnClock: boolean;
  #seq = 0;

  constructor(options: { readonly hasOwnClock: boolean }) {
    this.#hasOwnClock = options.hasOwnClock;
  }

  /** The time of the next request. */
  setClock(now: Instant): void {
    this.wallMs = Math.floor(now.wallMs);
    this.monotonicMs = now.monotonicMs;
  }

  /** Run one operation at a moment. Instances that become final release those held behind them. */
  run<T>(now: Instant, operation: () => T): T {
    this.setClock(now);
    const before = this.at;
    this.at = Math.max(this.at, this.wallMs);
    try {
      const value = operation();
      this.#letGo();
      return value;
    } catch (error) {
      this.at = before;
      throw error;
    }
  }

  row(id: string): ModelRow | undefined {
    return this.rows.find(({ instance }) => instance.id === id);
  }

  isPaused(kind: string, wallMs: number): boolean {
    return [this.pauses.get(null), this.pauses.get(kind)].some((pause) =>
      pause && (pause.until === null || pause.until > wallMs)
    );
  }

  enqueue(inputs: readonly NewInstance[]): readonly EnqueueResult[] {
    // All or none: it works on a copy, which a refusal discards.
    const saved = this.rows.map((row) => ({ row, copy: { ...row }, events: row.history.length }));
    const seq = this.#seq;
    const waiting = this.#waitingCounts();
    try {
      return inputs.map((input) => this.#enqueueOne(input, waiting));
    } catch (error) {
      this.rows = saved.map(({ row, copy, events }) => {
        row.history.length = events;
        return Object.assign(row, copy);
      });
      this.#seq = seq;
      throw error;
    }
  }

  #waitingCounts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { instance, isHeld } of this.rows) {
      if (instance.state !== "scheduled" || isHeld) continue;
      counts.set(instance.kind, (counts.get(instance.kind) ?? 0) + 1);
    }
    return counts;
  }

  /** @param waiting by kind; one replaced by another of its batch keeps its place */
  #enqueueOne(input: NewInstance, waiting: Map<string, number>): EnqueueResult {
    const there = this.row(input.id)?.instance;
    if (there) {
      if (!isSame(input, there)) throw new ModelRefusal("already_exists");
      return { instance: there, outcome: "sameId" };
    }
    const holder = input.uniqueKey === null ? undefined : this.keyHolder(input.uniqueKey);
    if (!holder) {
      const count = waiting.get(input.kind) ?? 0;
      if (count >= (input.waitingMax ?? Infinity)) throw new ModelRefusal("resource_exhausted");
      waiting.set(input.kind, count + 1);
      return { instance: this.insert(input).instance, outcome: "accepted" };
    }
    const onConflict = input.unique?.onConflict ?? "refuse";
    if (onConflict === "refuse" || holder.instance.kind !== input.kind) {
      if (!isSame(input, holder.instance)) throw new ModelRefusal("already_exists");
      return { instance: holder.instance, outcome: "sameKey" };
    }
    if (onConflict === "keep" || isFinal(holder.instance.state)) {
      return { instance: holder.instance, outcome: "sameKey" };
    }
    if (holder.instance.state === "processing") throw new ModelRefusal("conflict");
    this.cancelRow(holder, "replaced");
    const { instance } = this.insert(input);
    return { instance, outcome: "accepted", replaced: holder.instance };
  }

  /** The row that has a unique key: unfinished, or final but not canceled and within its time. */
  keyHolder(uniqueKey: string): ModelRow | undefined {
    return this.rows.find(({ instance }) =>
      instance.uniqueKey === uniqueKey && instance.state !== "canceled" &&
      (!isFinal(instance.state) || (instance.uniqueUntil ?? -Infinity) > this.wallMs)
    );
  }

  insert(input: NewInstance, isHeld = false): ModelRow {
    this.#seq += 1;
    const instance = acceptedInstance(input, this);
    const row: ModelRow = {
      seq: this.#seq,
      instance: isHeld ? { ...instance, reason: "queued" } : instance,
      isSeenDue: !isHeld && instance.dueAt <= this.wallMs,
      isHeld,
      leaseUntilMs: null,
      history: historyOf(instance),
      settled: new Map(),
    };
    this.rows.push(row);
    return row;
  }

  claim(request: ClaimRequest): readonly Instance[] {
    for (const row of this.rows) {
      const { state, dueAt } = row.instance;
      if (state === "scheduled" && !row.isHeld && dueAt <= this.wallMs) row.isSeenDue = true;
    }
    if (this.hasLate(this.wallMs)) return [];
    const claimed: Instance[] = [];
    while (claimed.length < request.limit) {
      const [first] = claimableNow(this, request, this.wallMs);
      if (!first) break;
      claimed.push(this.#take(first, request));
    }
    return claimed;
  }

  #take(row: ModelRow, { node, leaseMs, limits }: ClaimRequest): Instance {
    const { instance } = row;
    row.instance = {
      ...instance,
      state: "processing",
      reason: null,
      processedAt: this.at,
      ...resumedOrBegun(instance),
      fence: Math.max(instance.fence + 1, this.at * 1024),
      node,
      progress: null,
      usage: null,
    };
    row.isSeenDue = false;
    row.leaseUntilMs = this.monotonicMs + leaseMs;
    // The history has one start of an attempt, the last one.
    if (instance.waits !== null) row.history.pop();
    this.#note(row, null);
    this.limits.started(instance, limits);
    return row.instance;
  }

  /** True if a row waits past its deadline. */
  hasLate(wallMs: number): boolean {
    return this.rows.some((row) => isLate(row, wallMs));
  }

  renew({ claims, leaseMs }: RenewRequest): readonly RenewResult[] {
    return claims.map(({ id, fence }) => {
      const row = this.held({ id, fence });
      if (!row) return { id, fence, status: "stale" };
      row.leaseUntilMs = this.monotonicMs + leaseMs;
      const isCanceling = row.instance.cancelRequestedAt !== null;
      return { id, fence, status: isCanceling ? "canceling" : "renewed" };
    });
  }

  /** The row of a valid claim. */
  held({ id, fence }: ClaimKey): ModelRow | undefined {
    const row = this.row(id);
    return row && row.leaseUntilMs !== null && row.instance.fence === fence ? row : undefined;
  }

  settle(settlements: readonly Settlement[]): readonly SettleResult[] {
    return settlements.map((settlement) => {
      const { id, fence, outcome, version, progress, usage, endedAgoMs = 0 } = settlement;
      const row = this.held(settlement);
      if (!row) {
        const there = this.row(id);
        // An unstarted claim leaves nothing once it is claimed again.
        const isKept = outcome.type !== "release" || !outcome.isUnstarted ||
          there?.instance.fence === fence;
        const isRepeat = isKept && there?.settled.get(fence) === JSON.stringify(outcome);
        const instance = there?.instance ?? null;
        return { id, fence, status: isRepeat ? "repeated" : "stale", instance };
      }
      row.settled.set(fence, JSON.stringify(outcome));
      const ran = {
        ...row.instance,
        version: version ?? row.instance.version,
        progress: progress ?? row.instance.progress,
        usage: usage ?? row.instance.usage,
      };
      return { id, fence, status: "settled", instance: this.#end(row, ran, outcome, endedAgoMs) };
    });
  }

  #end(
    row: ModelRow,
    ran: Instance,
    outcome: Settlement["outcome"],
    endedAgoMs = 0,
  ): Instance {
    const endedAt = Math.max(this.at - endedAgoMs, Math.min(this.at, ran.processedAt ?? this.at));
    row.instance = settledInstance(ran, outcome, endedAt);
    row.leaseUntilMs = null;
    row.isSeenDue = row.instance.state === "scheduled" && row.instance.dueAt <= this.wallMs;
    if (row.instance.waits !== null) {
      row.history.push({ ...row.history.pop()!, node: null });
      return row.instance;
    }
    const isUnstarted = row.instance.attempt < ran.attempt;
    if (isUnstarted) row.history.pop();
    if (!isUnstarted || isFinal(row.instance.state)) {
      this.#note(row, row.instance.reason, ran.node, endedAt);
    }
    return row.instance;
  }

  #note(
    row: ModelRow,
    reason: string | null,
    node = row.instance.node,
    at = this.at,
  ): void {
    const { id: instanceId, kind, state, attempt, fence } = row.instance;
    row.history.push({ instanceId, kind, state, at, reason, attempt, fence, node });
  }

  cancel(query: InstanceQuery, limit: number): readonly Instance[] {
    const wanted = this.rows.filter(({ instance }) =>
      !isFinal(instance.state) && instance.cancelRequestedAt === null && matches(instance, query)
    );
    if (query.ids) {
      const ids = [...new Set(query.ids)];
      wanted.sort((left, right) => ids.indexOf(left.instance.id) - ids.indexOf(right.instance.id));
    }
    return wanted.slice(0, limit).map((row) => this.cancelRow(row, "canceled"));
  }

  cancelRow(row: ModelRow, reason: "canceled" | "replaced"): Instance {
    const { at } = this;
    if (row.instance.state === "processing") {
      const mark = reason === "replaced" ? reason : null;
      row.instance = { ...row.instance, cancelRequestedAt: at, reason: mark };
      return row.instance;
    }
    row.instance = {
      ...row.instance,
      ...{ state: "canceled", reason, cancelRequestedAt: at, settledAt: at, waits: null },
    };
    row.isHeld = false;
    row.isSeenDue = false;
    this.#note(row, reason);
    return row.instance;
  }

  reap(): readonly Instance[] {
    const reaped: Instance[] = [];
    for (const row of this.rows) {
      if (row.leaseUntilMs !== null && row.leaseUntilMs <= this.monotonicMs) {
        reaped.push(this.#lose(row));
      } else if (isLate(row, this.wallMs)) {
        const message = `Not completed by its deadline ${
          new Date(row.instance.deadlineAt!).toISOString()
        }`;
        const error = row.instance.error ?? { name: "TimeoutError", message };
        const { at } = this;
        row.instance = {
          ...row.instance,
          ...{ state: "timedOut", reason: "deadline", error, settledAt: at, waits: null },
        };
        row.isHeld = false;
        row.isSeenDue = false;
        this.#note(row, "deadline");
        reaped.push(row.instance);
      }
    }
    return reaped;
  }

  #lose(row: ModelRow): Instance {
    const message = `The lease of node "${row.instance.node}" ended without a result`;
    const error = { name: "LeaseLost", message };
    return this.#end(row, row.instance, { type: "crash", dueAt: this.wallMs, error });
  }

  /** The store is opened again: all claims are lost. */
  recover(): readonly Instance[] {
    return this.rows.filter(({ leaseUntilMs }) => leaseUntilMs !== null)
      .map((row) => this.#lose(row));
  }

  redrive(inputs: readonly NewInstance[], isForced: boolean): readonly RedriveResult[] {
    const ids = inputs.map(({ id }) => id);
    const isRefused = inputs.some(({ id, retryOf, uniqueKey }) =>
      retryOf === null || uniqueKey !== null || this.row(id)
    );
    if (isRefused || new Set(ids).size < ids.length) throw new ModelRefusal("invalid_argument");
    return inputs.map((input): RedriveResult => {
      const row = this.row(input.retryOf!);
      if (!row) return { past: null, outcome: "gone", instance: null };
      const { state, redrivenAs } = row.instance;
      if (!isFinal(state)) return { past: row.instance, outcome: "unfinished", instance: null };
      if (redrivenAs !== null && !isForced) {
        const instance = this.row(redrivenAs)?.instance ?? null;
        return { past: row.instance, outcome: "repeated", instance };
      }
      const { instance } = this.insert(input);
      if (isDeadLetter(state)) row.instance = { ...row.instance, redrivenAs: instance.id };
      return { past: row.instance, outcome: "accepted", instance };
    });
  }

  /** Only progress; lines have cases of their own. */
  noteProgress({ id, fence, progress }: ClaimKey & Pick<Settlement, "progress">): boolean {
    const row = this.held({ id, fence });
    if (row && progress) row.instance = { ...row.instance, progress };
    return row !== undefined;
  }

  putSchedule({ record, expectedGeneration, expectedCursor }: PutSchedule): ScheduleRecord {
    const there = this.schedules.get(record.id);
    const isMoved = expectedCursor !== undefined && there?.cursor !== expectedCursor;
    if ((there?.generation ?? null) !== expectedGeneration || isMoved) {
      throw new ModelRefusal("conflict");
    }
    this.schedules.set(record.id, record);
    return record;
  }

  deleteSchedule(id: string): boolean {
    return this.schedules.delete(id);
  }

  advance(step: Advance): AdvanceResult {
    const { scheduleId, fires, overlap, isCatchUp = false } = step;
    const accepted: Instance[] = [];
    const skipped: number[] = [];
    const replaced: Instance[] = [];
    const result = { scheduleId, accepted, skipped, replaced };
    if (step.isAhead && this.#hasOwnClock) return { ...result, status: "early" };
    let record: ScheduleRecord | undefined = this.schedules.get(scheduleId);
    if (!record) return { ...result, status: "gone" };
    if (record.generation !== step.generation || record.cursor !== step.expectedCursor) {
      return { ...result, status: "conflict" };
    }
    if (step.isAhead && !this.#isFree(record, step)) return { ...result, status: "early" };
    const fates = this.fatesOf(scheduleId);
    for (const { from, to, fate, reason } of step.fates) {
      for (let tick = from; tick <= to; tick += TICK_MS) {
        if (!fates.has(tick)) fates.set(tick, { fate, reason, instanceId: null });
      }
    }
    for (const fire of fires) {
      const tick = fire.scheduledFor!;
      if (fates.has(tick)) continue;
      const holder = fire.uniqueKey === null ? undefined : this.keyHolder(fire.uniqueKey);
      const reason = this.#whyNot(record, fire, { overlap, isCatchUp, holder });
      if (reason !== null) {
        fates.set(tick, { fate: "skipped", reason, instanceId: null });
        skipped.push(tick);
        const skipNext: number = record.skipNext ?? 0;
        if (reason === "skip requested" && skipNext > 0) {
          record = { ...record, skipNext: skipNext - 1 };
        }
        continue;
      }
      if (holder) replaced.push(this.cancelRow(holder, "replaced"));
      for (const row of overlap === "replace" ? this.#openOf(scheduleId) : []) {
        if (row.instance.cancelRequestedAt === null) replaced.push(this.cancelRow(row, "replaced"));
      }
      accepted.push(this.#fire(fire, overlap, null));
      record = { ...record, runs: (record.runs ?? 0) + 1, lastRunAt: tick };
    }
    const isOver = (record.runs ?? 0) >= (record.spec.runsMax ?? Infinity);
    const { cursor } = step;
    this.schedules.set(scheduleId, { ...record, cursor, nextAt: isOver ? null : step.nextAt });
    return { ...result, status: "advanced" };
  }

  #fire(fire: NewInstance, overlap: Advance["overlap"], reason: string | null): Instance {
    const isHeld = overlap !== "allow" && this.#openOf(fire.scheduleId!).length > 0;
    const { instance } = this.insert(fire, isHeld);
    const fate = { fate: "fired", reason, instanceId: instance.id } as const;
    this.fatesOf(fire.scheduleId!).set(fire.scheduledFor!, fate);
    return instance;
  }

  #isFree(record: ScheduleRecord, { fires, fates, overlap }: Advance): boolean {
    const [fire] = fires;
    if (!fire || fires.length > 1 || fates.length > 0) return false;
    const isBusy = overlap !== "allow" && this.#openOf(record.id).length > 0;
    if (isBusy || (fire.uniqueKey !== null && this.keyHolder(fire.uniqueKey))) return false;
    return this.#whyNot(record, fire, { overlap, isCatchUp: false, holder: undefined }) === null;
  }

  #whyNot(
    record: ScheduleRecord,
    fire: NewInstance,
    { overlap, isCatchUp, holder }: {
      readonly overlap: Advance["overlap"];
      readonly isCatchUp: boolean;
      readonly holder: ModelRow | undefined;
    },
  ): string | null {
    const open = this.#openOf(record.id);
    const reason = skipReason(record, fire.scheduledFor!, {
      overlap,
      runs: record.runs ?? 0,
      skipNext: record.skipNext ?? 0,
      isPaused: this.isPaused(fire.kind, this.wallMs),
      isBusy: open.length > 0,
      queuedCount: open.filter(({ isHeld }) => isHeld).length,
      isCatchUp,
    });
    if (reason !== null) return reason;
    if (this.row(fire.id)) return "id taken";
    const canReplace = holder?.instance.state === "scheduled" &&
      fire.unique?.onConflict === "replace" && holder.instance.kind === fire.kind;
    if (holder && !canReplace) return "unique key taken";
    const isFull = (this.#waitingCounts().get(fire.kind) ?? 0) >= (fire.waitingMax ?? Infinity);
    return isFull ? "queue full" : null;
  }

  #openOf(scheduleId: string): readonly ModelRow[] {
    return this.rows.filter(({ instance }) =>
      instance.scheduleId === scheduleId && !isFinal(instance.state)
    );
  }

  fatesOf(scheduleId: string): Map<number, ModelFate> {
    let fates = this.fates.get(scheduleId);
    if (!fates) this.fates.set(scheduleId, fates = new Map());
    return fates;
  }

  backfill({ scheduleId, fires, overlap }: Backfill): readonly Instance[] {
    if (!this.schedules.has(scheduleId)) throw new ModelRefusal("not_found");
    const accepted: Instance[] = [];
    for (const fire of fires) {
      const isThere = this.fatesOf(scheduleId).get(fire.scheduledFor!)?.fate === "fired";
      const isHeldKey = fire.uniqueKey !== null && this.keyHolder(fire.uniqueKey);
      if (isThere || isHeldKey || this.row(fire.id)) continue;
      accepted.push(this.#fire(fire, overlap, "backfill"));
    }
    return accepted;
  }

  #letGo(): void {
    for (const row of this.rows) {
      if (!row.isHeld) continue;
      if (this.#openOf(row.instance.scheduleId!).some(({ seq }) => seq < row.seq)) continue;
      row.isHeld = false;
      row.instance = { ...row.instance, reason: null };
    }
  }

  setPause(request: Omit<Pause, "at">): Pause {
    const { kind, until, reason } = request;
    const pause = { kind, until, reason, at: this.at };
    this.pauses.set(kind, pause);
    return pause;
  }

  removePause(kind: string | null): boolean {
    const until = this.pauses.get(kind)?.until;
    this.pauses.delete(kind);
    return until === null || (until !== undefined && until > this.wallMs);
  }

  retain(): readonly string[] {
    for (const { kind, until } of [...this.pauses.values()]) {
      if (until !== null && until <= this.wallMs) this.pauses.delete(kind);
    }
    return this.#delete(({ state, settledAt, uniqueUntil, keepSuccessMs, keepFailureMs }) => {
      if (!isFinal(state)) return false;
      const expireAt = settledAt! + (state === "completed" ? keepSuccessMs : keepFailureMs);
      return Math.max(expireAt, uniqueUntil ?? -Infinity) <= this.wallMs;
    });
  }

  clear(query: InstanceQuery, settledBefore: number): readonly string[] {
    return this.#delete((instance) =>
      isFinal(instance.state) && instance.settledAt! < settledBefore && matches(instance, query)
    );
  }

  #delete(isGone: (instance: Instance) => boolean): readonly string[] {
    const gone = this.rows.filter(({ instance }) => isGone(instance));
    this.rows = this.rows.filter((row) => !gone.includes(row));
    return gone.map(({ instance }) => instance.id);
  }

  /** The number of instances by kind and state. */
  counts(): ReadonlyMap<string, StateCounts> {
    const kinds = new Map<string, Record<string, number>>();
    for (const { instance: { kind, state } } of this.rows) {
      let counts = kinds.get(kind);
      if (!counts) kinds.set(kind, counts = { ...NO_COUNTS });
      counts[state]! += 1;
    }
    return kinds as ReadonlyMap<string, unknown> as ReadonlyMap<string, StateCounts>;
  }

  /** The limit that blocks a due instance. */
  blockOf(id: string, node: string, limits: ClaimLimits): Block["limit"] | null {
    const instance = this.row(id)?.instance;
    if (instance?.state !== "scheduled" || instance.dueAt > this.wallMs) return null;
    return this.limits.blockOf(instance, { node, limits, wallMs: this.wallMs });
  }
}

const NO_COUNTS = {
  created: 0,
  scheduled: 0,
  processing: 0,
  completed: 0,
  terminated: 0,
  canceled: 0,
  timedOut: 0,
};

function isSame(input: NewInstance, there: Instance): boolean {
  return input.kind === there.kind && input.argumentsJson === there.argumentsJson;
}

function isLate({ instance: { state, deadlineAt } }: ModelRow, wallMs: number): boolean {
  return state === "scheduled" && deadlineAt !== null && deadlineAt <= wallMs;
}

function isDeadLetter(state: string): boolean {
  return state === "terminated" || state === "timedOut";
}

/** True if an instance meets every condition of a query. */
export function matches(instance: Instance, query: InstanceQuery): boolean {
  const { idPrefix, ids, kinds, states, scheduleId, uniqueKey, retryOf, isDead } = query;
  return instance.id.startsWith(idPrefix ?? "") &&
    (!ids || ids.includes(instance.id)) &&
    (!kinds || kinds.includes(instance.kind)) &&
    (!states || states.includes(instance.state)) &&
    (scheduleId === undefined || instance.scheduleId === scheduleId) &&
    (uniqueKey === undefined || instance.uniqueKey === uniqueKey) &&
    (retryOf === undefined || instance.retryOf === retryOf) &&
    (!isDead || (isDeadLetter(instance.state) && instance.redrivenAs === null)) &&
    instance.createdAt >= (query.after ?? -Infinity) &&
    instance.createdAt < (query.before ?? Infinity) &&
    (query.node === undefined || instance.node === query.node) &&
    (instance.settledAt ?? -Infinity) >= (query.endedAfter ?? -Infinity) &&
    (query.endedBefore === undefined || (instance.settledAt ?? Infinity) < query.endedBefore);
}
