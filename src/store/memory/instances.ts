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
  CountedIndex,
  Index,
  InstanceTable,
  PromotedRow,
  QueueName,
  Range,
  Tally,
  WaitingTable,
} from "../ledger/tables/tables.ts";
import type { LaterRequest, UpcomingInstance } from "../store.ts";
import type { MemoryEndedAttempts } from "./ended_attempts.ts";
import { type Key, KeyFamily, LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Cost of finding a place in an index, in rows. */
const PLACE_ROWS = 10;
/** Ids compared with a part before other work runs. */
const SLICE_IDS = 5_000;

const FIRST: Range = { from: 0, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1 };

/**
 * Called after each change of a row, with the row before and after it; null for none. The opposite
 * change reverts it, after all later ones.
 */
type RowChanged = (before: Row | null, after: Row | null) => void;

/** Instance rows with the indexes for claims, scans and retention. */
export class MemoryInstances implements InstanceTable, WaitingTable {
  readonly #endedAttempts: MemoryEndedAttempts;
  readonly #changed: RowChanged | undefined;
  readonly #bySeq = new Map<number, Row>();
  readonly #seqById = new Map<string, number>();
  readonly #seqByOpenKey = new Map<string, number>();
  readonly #all = new SortedKeys();
  /** By state, in the order of JOB_STATES, and kind. */
  readonly #states = JOB_STATES.map(() => new KeyFamily<string>());
  readonly #ready = new KeyFamily<string>();
  /** By queue: the ready rows behind its first. */
  readonly #behind = new KeyFamily<string>();
  readonly #firsts = new KeyFamily<string>();
  readonly #later = new SortedKeys();
  readonly #laterByKind = new KeyFamily<string>();
  readonly #schedules = new KeyFamily<string>();
  readonly #openSchedules = new KeyFamily<string>();
  readonly #uniqueKeys = new KeyFamily<string>();
  readonly #retries = new KeyFamily<string>();
  readonly #children = new KeyFamily<string>();
  readonly #flows = new KeyFamily<string>();
  readonly #expiring = new SortedKeys();
  readonly #deadlines = new SortedKeys();
  /** The number of held instances by schedule. */
  readonly #held = new Map<string, number>();

  /** @param endedAttempts are deleted with their instance */
  constructor(endedAttempts: MemoryEndedAttempts, changed?: RowChanged) {
    this.#endedAttempts = endedAttempts;
    this.#changed = changed;
  }

  get(id: string): Row | null {
    const seq = this.#seqById.get(id);
    return seq === undefined ? null : this.#bySeq.get(seq)!;
  }

  at(seq: number): Row | null {
    return this.#bySeq.get(seq) ?? null;
  }

  openByKey(uniqueKey: string): Row | null {
    const seq = this.#seqByOpenKey.get(uniqueKey);
    return seq === undefined ? null : this.#bySeq.get(seq)!;
  }

  insert(row: Row): void {
    this.#bySeq.set(row.seq, row);
    this.#seqById.set(row.instance.id, row.seq);
    this.#indexOrigin(row, "add");
    this.#index(row, "add");
    this.#changed?.(null, row);
  }

  keptSlots(kind: string): Map<string, number> {
    const kept = new Map<string, number>();
    for (const state of ["scheduled", "processing"] as const) {
      for (const [, , seq] of this.#state(state).get(kind)?.walk(LOWEST, false) ?? []) {
        const { slotKey } = this.#bySeq.get(seq)!.instance;
        if (slotKey !== null) kept.set(slotKey, (kept.get(slotKey) ?? 0) + 1);
      }
    }
    return kept;
  }

  hasOpen(scheduleId: string): boolean {
    return this.#openSchedules.get(scheduleId) !== undefined;
  }

  update(before: Row, after: Row): void {
    this.#bySeq.set(after.seq, after);
    const { flowId } = after.instance;
    if (flowId !== before.instance.flowId) this.#flows.add(flowId!, [0, 0, after.seq]);
    this.#index(before, "delete");
    this.#index(after, "add");
    if (before.instance.state !== after.instance.state) {
      const key: Key = [0, 0, after.seq];
      this.#state(before.instance.state).delete(before.instance.kind, key);
      this.#state(after.instance.state).add(after.instance.kind, key);
      const hasEnded = isFinal(after.instance.state);
      if (hasEnded && !isFinal(before.instance.state)) this.#indexOpen(before, "delete");
      // The end of the instance is rolled back.
      else if (!hasEnded && isFinal(before.instance.state)) this.#indexOpen(after, "add");
    }
    this.#changed?.(before, after);
  }

  remove(row: Row): void {
    this.#index(row, "delete");
    this.#indexOrigin(row, "delete");
    this.#seqById.delete(row.instance.id);
    this.#bySeq.delete(row.seq);
    this.#endedAttempts.removeOf(row.seq);
    this.#changed?.(row, null);
  }

  scan(index: Index, range: Range): readonly Row[] {
    if (index.type === "idPrefix") return this.#withPrefix(index.idPrefix, range);
    const { from, to, isReverse, limit } = range;
    const keys = this.#keysOf(index);
    const rows: Row[] = [];
    for (const [, , seq] of keys?.walk([0, 0, isReverse ? to : from], isReverse) ?? []) {
      if (rows.length === limit || (isReverse ? seq < from : seq > to)) break;
      rows.push(this.#bySeq.get(seq)!);
    }
    return rows;
  }

  tally(index: CountedIndex, bounds: readonly number[]): Tally {
    const keys = index.type === "later"
      ? this.#laterByKind.get(index.kind)
      : this.#state(index.state).get(index.kind);
    const places = bounds.map((bound) => {
      const key: Key = index.type === "later" ? [bound, 0, 0] : [0, 0, bound];
      return keys?.countBefore(key) ?? 0;
    });
    const counts = places.slice(1).map((place, span) => place - places[span]!);
    return { counts, isEstimate: false, readCount: bounds.length * PLACE_ROWS };
  }

  *idsWith(part: string): Generator<string | number> {
    let to = Number.MAX_SAFE_INTEGER;
    for (;;) {
      // Read anew after other work: rows may have been added and deleted.
      const rows = this.scan({ type: "all" }, { from: 0, to, isReverse: true, limit: SLICE_IDS });
      for (const { instance: { id } } of rows) if (id.includes(part)) yield id;
      if (rows.length < SLICE_IDS) return;
      to = rows.at(-1)!.seq - 1;
      yield rows.length;
    }
  }

  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null {
    const [row] = this.scan({ type: "all" }, { ...FIRST, from: seq });
    return row ? { seq: row.seq, createdAt: row.instance.createdAt } : null;
  }

  countHeld(): Map<string, number> {
    return new Map(this.#held);
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
      this.update(before, { ...before, isReady: true, ...(isBehind ? { isBehind } : {}) });
      promoted.push({ kind, queueKey, ...readyKeyOf(before) });
    }
    return promoted;
  }

  later(
    kind: string | null,
    { after, before, limit }: Omit<LaterRequest, "kinds">,
  ): readonly Row[] {
    const keys = kind === null ? this.#later : this.#laterByKind.get(kind);
    const rows: Row[] = [];
    for (const [dueAt, , seq] of keys?.walk([after, 0, 0], false) ?? []) {
      if (dueAt >= before || rows.length === limit) break;
      rows.push(this.#bySeq.get(seq)!);
    }
    return rows;
  }

  soonest(kind: string | null, limit: number): readonly UpcomingInstance[] {
    const keys = kind === null ? this.#later : this.#laterByKind.get(kind);
    return this.#until(keys, Infinity, limit).map(({ instance: { id, kind, dueAt } }) => {
      return { id, kind, dueAt };
    });
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

  #until(times: SortedKeys | undefined, wallMs: number, limit: number): readonly Row[] {
    const rows: Row[] = [];
    for (const [at, , seq] of times?.walk(LOWEST, false) ?? []) {
      if (at > wallMs || rows.length === limit) break;
      rows.push(this.#bySeq.get(seq)!);
    }
    return rows;
  }

  // An index of ids would cost each instance more than these rare questions: 20 ns an id.
  #withPrefix(idPrefix: string, { from, to, isReverse, limit }: Range): readonly Row[] {
    const seqs: number[] = [];
    for (const [id, seq] of this.#seqById) {
      if (id.startsWith(idPrefix) && seq >= from && seq <= to) seqs.push(seq);
    }
    seqs.sort((left, right) => isReverse ? right - left : left - right);
    return seqs.slice(0, limit).map((seq) => this.#bySeq.get(seq)!);
  }

  #keysOf(index: Exclude<Index, { type: "idPrefix" }>): SortedKeys | undefined {
    switch (index.type) {
      case "all":
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
      case "parent":
        return this.#children.get(index.parentId);
      case "flow":
        return this.#flows.get(index.flowId);
    }
  }

  #state(state: JobState): KeyFamily<string> {
    return this.#states[stateIndex(state)]!;
  }

  /** Add a row to the indexes of its changed fields, or delete it from them. */
  #index(row: Row, action: "add" | "delete"): void {
    const { seq, isReady, isBehind, expireAt, instance } = row;
    const { kind, priority, dueAt, state, deadlineAt } = instance;
    if (instance.scheduleId !== null) countHeld(this.#held, row, action === "add" ? 1 : -1);
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

  /** Add a row to the rarely changed indexes, or delete it from them. */
  #indexOrigin(row: Row, action: "add" | "delete"): void {
    const { kind, state, scheduleId, uniqueKey, retryOf, parentId, flowId } = row.instance;
    const key: Key = [0, 0, row.seq];
    this.#all[action](key);
    if (scheduleId !== null) this.#schedules[action](scheduleId, key);
    if (uniqueKey !== null) this.#uniqueKeys[action](uniqueKey, key);
    if (retryOf !== null) this.#retries[action](retryOf, key);
    if (parentId !== null) this.#children[action](parentId, key);
    if (flowId !== null) this.#flows[action](flowId, key);
    this.#state(state)[action](kind, key);
    if (!isFinal(state)) this.#indexOpen(row, action);
  }

  #indexOpen({ seq, instance }: Row, action: "add" | "delete"): void {
    const { scheduleId, uniqueKey } = instance;
    if (scheduleId !== null) this.#openSchedules[action](scheduleId, [0, 0, seq]);
    if (uniqueKey === null) return;
    if (action === "add") this.#seqByOpenKey.set(uniqueKey, seq);
    else this.#seqByOpenKey.delete(uniqueKey);
  }
}

function queueOf({ kind, queueKey }: QueueName): string {
  return `${kind} ${queueKey}`;
}
