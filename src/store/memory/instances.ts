import { isFinal, JOB_STATES, type JobState } from "../../core/state.ts";
import {
  countHeld,
  isKeyed,
  type ReadyKey,
  readyKeyOf,
  type Row,
  stateIndex,
} from "../ledger/tables/row.ts";
import type {
  Index,
  InstanceTable,
  PromotedRow,
  QueueName,
  Range,
  WaitingTable,
} from "../ledger/tables/tables.ts";
import type { MemoryEndedAttempts } from "./ended_attempts.ts";
import { type Key, LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Sorted sets by name; an empty one is deleted. */
class KeyFamily {
  readonly #sets = new Map<string, SortedKeys>();

  get(name: string): SortedKeys | undefined {
    return this.#sets.get(name);
  }

  add(name: string, key: Key): void {
    let set = this.#sets.get(name);
    if (!set) this.#sets.set(name, set = new SortedKeys());
    set.add(key);
  }

  delete(name: string, key: Key): void {
    const set = this.#sets.get(name);
    if (!set) return;
    set.delete(key);
    if (!set.first()) this.#sets.delete(name);
  }
}

const FIRST: Range = { from: 0, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1 };

/** Instance rows with the indexes for claims, scans and retention. */
export class MemoryInstances implements InstanceTable, WaitingTable {
  readonly #endedAttempts: MemoryEndedAttempts;
  readonly #bySeq = new Map<number, Row>();
  readonly #seqById = new Map<string, number>();
  readonly #seqByOpenKey = new Map<string, number>();
  readonly #all = new SortedKeys();
  /** By state, in the order of JOB_STATES, and kind. */
  readonly #states = JOB_STATES.map(() => new KeyFamily());
  readonly #ready = new KeyFamily();
  /** By queue: the ready rows behind its first. */
  readonly #behind = new KeyFamily();
  readonly #firsts = new KeyFamily();
  readonly #later = new SortedKeys();
  readonly #laterByKind = new KeyFamily();
  readonly #schedules = new KeyFamily();
  readonly #openSchedules = new KeyFamily();
  readonly #uniqueKeys = new KeyFamily();
  readonly #retries = new KeyFamily();
  readonly #expiring = new SortedKeys();
  readonly #deadlines = new SortedKeys();

  /** @param endedAttempts are deleted with their instance */
  constructor(endedAttempts: MemoryEndedAttempts) {
    this.#endedAttempts = endedAttempts;
  }

  get(id: string): Row | null {
    const seq = this.#seqById.get(id);
    return seq === undefined ? null : this.#bySeq.get(seq)!;
  }

  /** The row with a seq. */
  at(seq: number): Row | null {
    return this.#bySeq.get(seq) ?? null;
  }

  openByKey(uniqueKey: string): Row | null {
    const seq = this.#seqByOpenKey.get(uniqueKey);
    return seq === undefined ? null : this.#bySeq.get(seq)!;
  }

  insert(row: Row): void {
    const { seq, instance } = row;
    this.#bySeq.set(seq, row);
    this.#seqById.set(instance.id, seq);
    const key: Key = [0, 0, seq];
    this.#all.add(key);
    if (instance.scheduleId !== null) this.#schedules.add(instance.scheduleId, key);
    if (instance.uniqueKey !== null) this.#uniqueKeys.add(instance.uniqueKey, key);
    if (instance.retryOf !== null) this.#retries.add(instance.retryOf, key);
    this.#state(instance.state).add(instance.kind, key);
    this.#index(row, "add");
    if (!isFinal(instance.state)) this.#enterOpen(row);
  }

  put(row: Row): void {
    this.insert(row);
  }

  update(before: Row, after: Row): void {
    this.#replace(before, after);
  }

  hasOpen(scheduleId: string): boolean {
    return this.#openSchedules.get(scheduleId) !== undefined;
  }

  // Not update(): a replica records that in its journal, and promotes on its own.
  #replace(before: Row, after: Row): void {
    this.#bySeq.set(after.seq, after);
    if (before.instance.state !== after.instance.state) {
      const key: Key = [0, 0, after.seq];
      this.#state(before.instance.state).delete(before.instance.kind, key);
      this.#state(after.instance.state).add(after.instance.kind, key);
    }
    this.#index(before, "delete");
    this.#index(after, "add");
    const hasEnded = isFinal(after.instance.state);
    if (hasEnded === isFinal(before.instance.state)) return;
    if (hasEnded) this.#leaveOpen(before);
    // The end of the instance is rolled back.
    else this.#enterOpen(after);
  }

  remove(row: Row): void {
    const { seq, instance } = row;
    this.#index(row, "delete");
    if (!isFinal(instance.state)) this.#leaveOpen(row);
    const key: Key = [0, 0, seq];
    this.#state(instance.state).delete(instance.kind, key);
    if (instance.scheduleId !== null) this.#schedules.delete(instance.scheduleId, key);
    if (instance.uniqueKey !== null) this.#uniqueKeys.delete(instance.uniqueKey, key);
    if (instance.retryOf !== null) this.#retries.delete(instance.retryOf, key);
    this.#all.delete(key);
    this.#seqById.delete(instance.id);
    this.#bySeq.delete(seq);
    this.#endedAttempts.removeOf(seq);
  }

  scan(index: Index, { from, to, isReverse, limit }: Range): readonly Row[] {
    const keys = this.#keysOf(index);
    const rows: Row[] = [];
    for (const [, , seq] of keys?.walk([0, 0, isReverse ? to : from], isReverse) ?? []) {
      if (rows.length === limit || (isReverse ? seq < from : seq > to)) break;
      rows.push(this.#bySeq.get(seq)!);
    }
    return rows;
  }

  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null {
    const [row] = this.scan({ type: "all" }, { ...FIRST, from: seq });
    return row ? { seq: row.seq, createdAt: row.instance.createdAt } : null;
  }

  countHeld(): Map<string, number> {
    const held = new Map<string, number>();
    for (const row of this.#bySeq.values()) countHeld(held, row, 1);
    return held;
  }

  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[] {
    const rows: Row[] = [];
    const from: Key = after ? [after.priority, after.dueAt, after.seq + 1] : LOWEST;
    for (const [, , seq] of this.#ready.get(kind)?.walk(from, false) ?? []) {
      rows.push(this.#bySeq.get(seq)!);
      if (rows.length === limit) break;
    }
    return rows;
  }

  firstOfQueue(queue: QueueName, isBehind: boolean): Row | null {
    const family = isBehind ? this.#behind : this.#firsts;
    const key = family.get(queueOf(queue))?.first();
    return key ? this.#bySeq.get(key[2])! : null;
  }

  firstReady(kind: string): ReadyKey | null {
    const key = this.#ready.get(kind)?.first();
    return key ? { priority: key[0], dueAt: key[1], seq: key[2] } : null;
  }

  promote(wallMs: number, limit: number): readonly PromotedRow[] {
    const promoted: PromotedRow[] = [];
    while (promoted.length < limit) {
      const first = this.#later.first();
      if (!first || first[0] > wallMs) break;
      const before = this.#bySeq.get(first[2])!;
      const { kind, queueKey } = before.instance;
      const isBehind = isKeyed(before.instance);
      this.#replace(before, { ...before, isReady: true, ...(isBehind ? { isBehind } : {}) });
      promoted.push({ kind, queueKey, ...readyKeyOf(before) });
    }
    return promoted;
  }

  firstLater(kind: string | null): number | null {
    const keys = kind === null ? this.#later : this.#laterByKind.get(kind);
    return keys?.first()?.[0] ?? null;
  }

  expired(wallMs: number, limit: number): readonly Row[] {
    return this.#until(this.#expiring, wallMs, limit);
  }

  pastDeadline(wallMs: number, limit: number): readonly Row[] {
    return this.#until(this.#deadlines, wallMs, limit);
  }

  #until(times: SortedKeys, wallMs: number, limit: number): readonly Row[] {
    const rows: Row[] = [];
    for (const [at, , seq] of times.walk(LOWEST, false)) {
      if (at > wallMs || rows.length === limit) break;
      rows.push(this.#bySeq.get(seq)!);
    }
    return rows;
  }

  #keysOf(index: Index): SortedKeys | undefined {
    switch (index.type) {
      case "all":
      case "idPrefix":
        return this.#all;
      case "kindState":
        return this.#state(index.state).get(index.kind);
      case "schedule":
        return this.#schedules.get(index.scheduleId);
      case "openSchedule":
        return this.#openSchedules.get(index.scheduleId);
      case "uniqueKey":
        return this.#uniqueKeys.get(index.uniqueKey);
      case "retryOf":
        return this.#retries.get(index.retryOf);
    }
  }

  #state(state: JobState): KeyFamily {
    return this.#states[stateIndex(state)]!;
  }

  /** Add a row to the indexes that its changes concern, or delete it from them. */
  #index(row: Row, action: "add" | "delete"): void {
    const { seq, isReady, isBehind, expireAt, instance } = row;
    const { kind, priority, dueAt, state, deadlineAt } = instance;
    if (isReady === true) {
      const key: Key = [priority, dueAt, seq];
      if (isBehind) this.#behind[action](queueOf(instance), key);
      else this.#ready[action](kind, key);
      if (!isBehind && isKeyed(instance)) this.#firsts[action](queueOf(instance), key);
    } else if (isReady === false) {
      this.#later[action]([dueAt, 0, seq]);
      this.#laterByKind[action](kind, [dueAt, 0, seq]);
    }
    if (expireAt !== null) this.#expiring[action]([expireAt, 0, seq]);
    if (state === "scheduled" && deadlineAt !== null) {
      this.#deadlines[action]([deadlineAt, 0, seq]);
    }
  }

  #enterOpen({ seq, instance }: Row): void {
    if (instance.uniqueKey !== null) this.#seqByOpenKey.set(instance.uniqueKey, seq);
    if (instance.scheduleId !== null) this.#openSchedules.add(instance.scheduleId, [0, 0, seq]);
  }

  #leaveOpen({ seq, instance }: Row): void {
    if (instance.uniqueKey !== null) this.#seqByOpenKey.delete(instance.uniqueKey);
    if (instance.scheduleId !== null) this.#openSchedules.delete(instance.scheduleId, [0, 0, seq]);
  }
}

function queueOf({ kind, queueKey }: QueueName): string {
  return `${kind} ${queueKey}`;
}
