import { isFromAhead } from "../../core/time/clock_correction.ts";
import type { Instance } from "../../core/instance.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { isFinal } from "../../core/state.ts";
import type { Instant } from "../../platform/clock.ts";
import type { EndedAttempt, StoreMark } from "../records.ts";
import {
  AHEAD_MS_MAX,
  type ChangeHint,
  type ClaimKey,
  JOB_MEMO,
  type Memo,
  type MemoWatch,
  NEWS_KIND,
  type NodeRecord,
  type Pause,
  WATCHER_MEMO,
} from "../store.ts";
import {
  compareReady,
  countHeld,
  countRow,
  isHeld,
  isKeyed,
  type KindCounts,
  type ReadyKey,
  readyKeyOf,
  type Row,
} from "./tables/row.ts";
import { Deadlines } from "./claiming/deadlines.ts";
import { Queues } from "./claiming/queues.ts";
import { Rates } from "./claiming/rates.ts";
import type { Range, Tables } from "./tables/tables.ts";
import { Usage } from "./claiming/usage.ts";

/** Most nodes that ask for news. */
const WATCHERS_MAX = 1_000;

const FIRST: Range = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1 };

/** The moment of one operation. */
export interface Moment {
  /** The clock that decides due times, epoch ms. */
  readonly wallMs: number;
  /** For leases. */
  readonly monotonicMs: number;
  /** The recorded time, which never decreases. */
  readonly at: number;
  /**
   * The time of events after an instance's acceptance, from which retention and retries count: the
   * recorded time, or the clock's after a clock that was hours ahead has been set back.
   */
  readonly stamp: number;
}

/** The times that date an instance. */
export type Dated = Pick<Moment, "at" | "stamp" | "wallMs">;

/** The current moment. @param recordedAt the recorded time before it */
export function momentBy({ wallMs: given, monotonicMs }: Instant, recordedAt: number): Moment {
  const wallMs = Math.floor(given);
  const at = Math.max(recordedAt, wallMs);
  return { wallMs, monotonicMs, at, stamp: isFromAhead(at, wallMs) ? wallMs : at };
}

/**
 * A valid claim. Leases live in memory, on monotonic clocks: a sole owner voids earlier ones when
 * it opens the store, and each of several owners counts from when it learned of a lease.
 */
export interface Lease {
  readonly row: Row;
  readonly untilMs: number;
}

/** A node, kept in memory like leases. */
export interface NodeEntry {
  readonly record: NodeRecord;
  /** When its lease expires, monotonic ms. */
  readonly untilMs: number;
}

/** Instances of flows that became final. */
export interface FamilyEnds {
  /** Those whose parent waits for them in a step. */
  readonly children: readonly Instance[];
  /** Those that have steps, and maybe children. */
  readonly parents: readonly Instance[];
}

/** The tables, with the owner's data about them: counts, heads, leases and pauses. */
export class LedgerState {
  readonly tables: Tables;
  /** True if one clock decides for all nodes, not each caller's. */
  readonly hasOwnClock: boolean;
  rev = 0;
  at = 0;
  seq = 0;
  epoch = 0;
  /** True if processing rows without a known lease may exist, after opening for maintenance. */
  hasUnleased = false;
  /** The store's mark; null for none. */
  mark: StoreMark | null = null;
  /** True if the group wrote to the tables. */
  isDirty = false;
  counts = new Map<string, KindCounts>();
  readonly leases = new Map<string, Lease>();
  readonly nodes = new Map<string, NodeEntry>();
  readonly pauses = new Map<string | null, Pause>();
  readonly queues: Queues;
  readonly deadlines: Deadlines;
  readonly rates: Rates;
  /** Slots in use. */
  readonly usage: Usage;
  hints: ChangeHint[] = [];
  scheduleCount = 0;
  /** The number of held instances by schedule; schedules without any are absent. */
  held = new Map<string, number>();
  /** Watches of memos by key, where they are not "failures". */
  watches = new Map<string, MemoWatch>();
  /** Keys of the memos by which nodes request news of jobs. */
  readonly #watchers = new Set<string>();
  /** Watched instances that became final in this operation. */
  #finals: Instance[] = [];
  /** Instances of flows that became final in this operation. */
  #family: { children: Instance[]; parents: Instance[] } | null = null;
  /** Schedules with held instances that had an instance become final. */
  readonly #ended = new Set<string>();
  /** The first ready row by kind; null for none, absent if unknown. */
  readonly #heads = new Map<string, ReadyKey | null>();
  readonly #dirtyKinds = new Set<string>();
  /** Take back what the group changed in leases and nodes, once later changes have been. */
  readonly #undo: (() => void)[] = [];

  constructor(tables: Tables, options: { readonly hasOwnClock: boolean }) {
    this.tables = tables;
    this.hasOwnClock = options.hasOwnClock;
    this.queues = new Queues(tables, (row, isBehind) => this.replace(row, { ...row, isBehind }));
    this.rates = new Rates(tables);
    this.deadlines = new Deadlines(tables);
    const leases = this.leases;
    this.usage = new Usage(
      function* () {
        for (const { row } of leases.values()) yield row.instance;
      },
      (kind) => tables.instances.keptSlots(kind),
    );
  }

  /**
   * The time until which a request sees instances as due, epoch ms: ahead of now only where the
   * callers' clocks decide.
   */
  dueBy({ wallMs }: Moment, { dueBy = wallMs }: { readonly dueBy?: number }): number {
    return this.hasOwnClock ? wallMs : Math.max(wallMs, Math.min(dueBy, wallMs + AHEAD_MS_MAX));
  }

  /** Load from the tables: at opening, and after a failed transaction. */
  load(): void {
    const { rev, at, seq } = this.tables.readHead();
    // Revisions of operations that wrote nothing are not stored: never repeat one.
    this.rev = Math.max(rev, this.rev);
    this.at = Math.max(at, this.at);
    this.seq = seq;
    this.mark = this.tables.maintenance.readMark();
    this.counts = this.tables.kinds.read();
    this.pauses.clear();
    for (const pause of this.tables.pauses.all()) this.pauses.set(pause.kind, pause);
    this.watches = new Map(this.tables.memos.watches());
    this.#watchers.clear();
    const watchers = { prefix: WATCHER_MEMO, after: null, limit: WATCHERS_MAX };
    for (const { key } of this.tables.memos.list(watchers)) this.#watchers.add(key);
    this.#finals = [];
    this.#family = null;
    this.scheduleCount = this.tables.schedules.count();
    this.held = this.tables.instances.countHeld();
    this.#ended.clear();
    this.#heads.clear();
    this.queues.load(this.at);
    this.rates.clear();
    this.usage.clear();
    this.deadlines.clear();
  }

  /** Write the pending counts and starts, then commit; the group's leases stay. */
  commit(): void {
    this.rates.save();
    this.#saveCounts();
    this.tables.commit({ rev: this.rev, at: this.at, seq: this.seq });
    this.#endGroup();
  }

  /** Roll the group back. */
  rollback(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.usage.clear();
    this.hints = [];
    this.#endGroup();
  }

  /** End a group without a commit: it changed leases at most, or applied other owners' commits. */
  endUncommitted(): void {
    this.#saveCounts();
    this.#ended.clear();
    this.#finals = [];
    this.#family = null;
    this.#endGroup();
  }

  #saveCounts(): void {
    for (const kind of this.#dirtyKinds) this.tables.kinds.save(kind, this.counts.get(kind)!);
  }

  #endGroup(): void {
    this.isDirty = false;
    this.#dirtyKinds.clear();
    this.#undo.length = 0;
  }

  /** Insert a row at any place in the order of acceptance. */
  insert(given: Row): void {
    this.isDirty = true;
    this.seq = Math.max(this.seq, given.seq);
    const row = this.queues.place(given);
    this.tables.instances.insert(row);
    this.usage.changeKept(null, row.instance);
    this.#noteDeadline(row);
    this.#count(row, 1);
    countHeld(this.held, row, 1);
    if (row.isReady && !row.isBehind) this.#noteReady(row.instance.kind, readyKeyOf(row));
  }

  update(given: Row, wanted: Row): void {
    const isQueued = given.isReady === true && isKeyed(given.instance);
    // Changes to others of its queue may have moved it since the read.
    const before = isQueued ? this.tables.instances.get(given.instance.id)! : given;
    const after = before.isReady === true ? wanted : this.queues.place(wanted);
    this.replace(before, after);
    if (isQueued && !before.isBehind) this.queues.refill(before.instance);
  }

  /** Replace a row without settling its queue: its claim, or the queue itself, does that. */
  replace(before: Row, after: Row): void {
    this.isDirty = true;
    this.tables.instances.update(before, after);
    this.usage.changeKept(before.instance, after.instance);
    this.#noteDeadline(after);
    if (
      before.instance.state !== after.instance.state || before.isReady !== after.isReady ||
      before.isBehind !== after.isBehind
    ) {
      this.#count(before, -1);
      this.#count(after, 1);
    }
    if (this.held.size > 0) this.#noteEnd(before, after);
    if (this.#watchers.size > 0) this.#noteFinal(before.instance, after.instance);
    this.#noteFamily(before.instance, after.instance);
    if (before.isReady && !before.isBehind) this.#forgetHead(before);
    if (after.isReady && !after.isBehind) {
      this.#noteReady(after.instance.kind, readyKeyOf(after));
    }
  }

  remove(row: Row): void {
    this.isDirty = true;
    this.tables.instances.remove(row);
    this.usage.changeKept(row.instance, null);
    this.#count(row, -1);
    const counts = this.counts.get(row.instance.kind)!;
    // A kind without instances needs no memory.
    if (counts.states.every((count) => count === 0)) this.#heads.delete(row.instance.kind);
  }

  /** Delete a row in any state, with its claim. */
  take(row: Row): void {
    if (this.leases.has(row.instance.id)) this.setLease(row.instance.id, undefined);
    if (row.isReady && !row.isBehind) this.#forgetHead(row);
    countHeld(this.held, row, -1);
    this.remove(row);
    if (row.isReady && isKeyed(row.instance)) this.queues.settle(row.instance);
  }

  /** Raise the epoch to at least this. */
  raiseEpoch(epoch: number): void {
    if (epoch <= this.epoch) return;
    this.isDirty = true;
    this.epoch = epoch;
    this.tables.raiseEpoch(epoch);
  }

  addEnded(row: Row, ended: EndedAttempt): void {
    this.isDirty = true;
    this.tables.endedAttempts.add(row, ended);
  }

  /** Release held instances after their predecessors became final here: the oldest per schedule. */
  releaseHeld(): void {
    for (const scheduleId of this.#ended) {
      const [row] = this.tables.instances.scan({ type: "openSchedule", scheduleId }, FIRST);
      if (!row || !isHeld(row)) continue;
      this.update(row, { ...row, instance: { ...row.instance, reason: null }, isReady: false });
      this.hints.push({ type: "instances", dueAt: row.instance.dueAt });
    }
    this.#ended.clear();
  }

  /** Make rows ready that have become due. */
  promote(wallMs: number, limit: number): number {
    const promoted = this.tables.waiting.promote(wallMs, limit);
    for (const { kind, queueKey, ...key } of promoted) {
      const counts = this.counts.get(kind)!;
      counts.later -= 1;
      counts.ready += 1;
      if (isKeyed({ kind, queueKey })) counts.behind += 1;
      else this.#noteReady(kind, key);
      this.#dirtyKinds.add(kind);
    }
    if (promoted.length > 0) this.isDirty = true;
    this.queues.settlePromoted(promoted);
    return promoted.length;
  }

  setLease(id: string, lease: Lease | undefined): void {
    const before = this.leases.get(id);
    if (lease && this.leases.size === 0 && !this.tables.shared) this.hints.push({ type: "claims" });
    this.#undo.push(() => setOrDelete(this.leases, id, before));
    setOrDelete(this.leases, id, lease);
    if (lease && !before) this.usage.change(lease.row.instance, 1);
    else if (before && !lease) this.usage.change(before.row.instance, -1);
  }

  setNode(id: string, entry: NodeEntry | undefined): void {
    const before = this.nodes.get(id);
    this.#undo.push(() => setOrDelete(this.nodes, id, before));
    setOrDelete(this.nodes, id, entry);
    if (!this.tables.shared) return;
    this.isDirty = true;
    this.tables.shared.saveNode(id, entry?.record ?? null);
  }

  /** Write for other owners, if any, the remaining validity of a claim. */
  shareLease(row: Row, leaseMs: number): void {
    if (!this.tables.shared) return;
    this.isDirty = true;
    this.tables.shared.saveLease(row, leaseMs);
  }

  /** The lease of a claim; undefined for a stale one. */
  leaseOf(claim: ClaimKey): Lease | undefined {
    const lease = this.leases.get(claim.id);
    return lease?.row.instance.fence === claim.fence ? lease : undefined;
  }

  /** The first ready row of a kind in claim order. */
  head(kind: string): ReadyKey | null {
    let head = this.#heads.get(kind);
    if (head === undefined) {
      head = this.tables.waiting.firstReady(kind);
      this.#heads.set(kind, head);
    }
    return head;
  }

  #noteReady(kind: string, key: ReadyKey): void {
    const head = this.#heads.get(kind);
    if (head === undefined) return;
    if (head === null || compareReady(key, head) < 0) this.#heads.set(kind, key);
  }

  /** End of a kind's pause; null if it is not paused, Infinity if paused until resumed. */
  pausedUntil(kind: string | null, wallMs: number): number | null {
    if (this.pauses.size === 0 || kind?.startsWith(NOTICE_KINDS)) return null;
    const untils = [this.pauses.get(null), kind === null ? undefined : this.pauses.get(kind)]
      .filter((pause) => pause !== undefined)
      .map((pause) => pause.until ?? Infinity)
      .filter((until) => until > wallMs);
    return untils.length === 0 ? null : Math.max(...untils);
  }

  // Reaping sleeps until the first known deadline.
  #noteDeadline(row: Row): void {
    if (this.deadlines.note(row)) this.hints.push({ type: "deadlines" });
  }

  saveMemo(memo: Memo): void {
    const { key, watch } = memo;
    this.isDirty = true;
    this.tables.memos.save(memo);
    if (watch === "failures") this.watches.delete(key);
    else this.watches.set(key, watch);
    if (key.startsWith(WATCHER_MEMO)) this.#watchers.add(key);
  }

  removeMemo(key: string): void {
    this.isDirty = true;
    this.tables.memos.remove(key);
    this.watches.delete(key);
    this.#watchers.delete(key);
  }

  /** Ends of a kind's instances that are news. */
  watchOf(kind: string): MemoWatch {
    if (this.#watchers.size === 0 || kind === NEWS_KIND) return "never";
    if (this.watches.size === 0) return "failures";
    return this.watches.get(JOB_MEMO + kind) ?? "failures";
  }

  /** The ends of this operation that are news, each returned once. */
  takeFinals(): readonly Instance[] {
    const finals = this.#finals;
    if (finals.length > 0) this.#finals = [];
    return finals;
  }

  /** The instances of flows that ended in this operation, each returned once; null for none. */
  takeFamily(): FamilyEnds | null {
    const family = this.#family;
    this.#family = null;
    return family;
  }

  #noteFamily(before: Instance, after: Instance): void {
    if (after.flowId === null && after.parentStep === null) return;
    if (!isFinal(after.state) || isFinal(before.state)) return;
    const family = this.#family ??= { children: [], parents: [] };
    if (after.parentStep !== null) family.children.push(after);
    if (after.flowId !== null && after.stepsAt !== null) family.parents.push(after);
  }

  #noteFinal(before: Instance, after: Instance): void {
    const { state, kind } = after;
    if (!isFinal(state) || state === "canceled" || isFinal(before.state)) return;
    const watch = this.watchOf(kind);
    if (watch === "never") return;
    if (state === "completed" && watch !== "ends" && !this.#hasFailed(kind)) return;
    this.#finals.push(after);
  }

  /** True if an instance of a kind failed in this operation: a success after it is news too. */
  #hasFailed(kind: string): boolean {
    return this.#finals.some((final) => final.kind === kind && final.state !== "completed");
  }

  #noteEnd(before: Row, after: Row): void {
    if (isHeld(before) && !isHeld(after)) countHeld(this.held, before, -1);
    const { scheduleId, state } = after.instance;
    if (scheduleId === null || !isFinal(state) || isFinal(before.instance.state)) return;
    if (this.held.has(scheduleId)) this.#ended.add(scheduleId);
  }

  #forgetHead(row: Row): void {
    if (this.#heads.get(row.instance.kind)?.seq === row.seq) this.#heads.delete(row.instance.kind);
  }

  #count(row: Row, change: 1 | -1): void {
    countRow(this.counts, row, change);
    this.#dirtyKinds.add(row.instance.kind);
  }
}

function setOrDelete<T>(map: Map<string, T>, id: string, value: T | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}
