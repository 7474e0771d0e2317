import type { ClaimRequest } from "../../store.ts";
import { compareReady, isKeyed, readyKeyOf, type Row } from "../tables/row.ts";
import type { PromotedRow, QueueDelay, QueueName, Tables } from "../tables/tables.ts";

/** How far the clock may go back before the holds are looked at again, in milliseconds. */
const SET_BACK_MS = 1_000;

/**
 * Keeps at most one row of each queue with a key offered to claims: its first one, or none while a rate holds the queue back.
 * However many wait in a queue, a claim looks at one of them.
 */
export class Queues {
  readonly #tables: Tables;
  readonly #move: (row: Row, isBehind: boolean) => void;
  /** When the first hold ends; null: not known. */
  #firstHoldAt: number | null = null;
  #lastWallMs = -Infinity;
  /** By which limits the holds of a kind are, as text; a missing kind is not known. */
  readonly #stamps = new Map<string, string>();
  /** Who claimed last. */
  #last: Pick<ClaimRequest, "kinds" | "limits"> | null = null;

  /** @param move writes that a ready row stands behind its queue's first, or no longer does */
  constructor(tables: Tables, move: (row: Row, isBehind: boolean) => void) {
    this.#tables = tables;
    this.#move = move;
  }

  /** Read again what the tables hold. @param wallMs the recorded time */
  load(wallMs: number): void {
    this.#firstHoldAt = null;
    this.#lastWallMs = wallMs;
    this.#stamps.clear();
    this.#last = null;
  }

  /** A row about to be written, placed in its queue. */
  place(row: Row): Row {
    const { instance } = row;
    if (row.isReady !== true || !isKeyed(instance)) return row;
    if (this.#tables.limits.delayOf(instance)) return { ...row, isBehind: true };
    const first = this.#tables.waiting.firstOfQueue(instance, false);
    if (first && compareReady(readyKeyOf(first), readyKeyOf(row)) < 0) {
      return { ...row, isBehind: true };
    }
    if (first) this.#move(first, true);
    return row;
  }

  /** The offered row of a queue is gone: offer the next. */
  refill(queue: QueueName): void {
    const next = this.#tables.waiting.firstOfQueue(queue, true);
    if (next && !this.#tables.limits.delayOf(queue)) this.#move(next, false);
  }

  /** Offer the first row of a queue whose rows changed otherwise. */
  settle(queue: QueueName): void {
    const offered = this.#tables.waiting.firstOfQueue(queue, false);
    if (!offered) return this.refill(queue);
    const next = this.#tables.waiting.firstOfQueue(queue, true);
    if (!next || compareReady(readyKeyOf(offered), readyKeyOf(next)) < 0) return;
    this.#move(offered, true);
    this.#move(next, false);
  }

  /** Offer the first of each queue that rows came to by the passing of time. */
  settlePromoted(promoted: readonly PromotedRow[]): void {
    const queues = new Map<string, QueueName>();
    for (const { kind, queueKey } of promoted) {
      if (isKeyed({ kind, queueKey })) queues.set(`${kind} ${queueKey}`, { kind, queueKey });
    }
    for (const queue of queues.values()) this.settle(queue);
  }

  /** Offer nothing of a queue until a time. */
  hold(hold: QueueDelay): void {
    const offered = this.#tables.waiting.firstOfQueue(hold, false);
    if (offered) this.#move(offered, true);
    this.#tables.limits.saveDelay(hold);
    this.#stamps.set(hold.kind, hold.stamp);
    this.#firstHoldAt = null;
  }

  /** When a claim by limits of this stamp would let go what is held of a kind; Infinity when nothing is held. */
  opensAt(kind: string, stamp: string, wallMs: number): number {
    const firstAt = this.#tables.limits.firstDelay(kind);
    if (firstAt === null) return Infinity;
    const isLetGo = this.#stamps.get(kind) !== stamp || this.#isSetBack(wallMs);
    return isLetGo ? wallMs : firstAt;
  }

  /** End the holds whose time has come; answers whether there were any. */
  release(wallMs: number, limit: number): boolean {
    const isSetBack = this.#isSetBack(wallMs);
    this.#lastWallMs = isSetBack ? wallMs : Math.max(this.#lastWallMs, wallMs);
    let hasChanged = isSetBack && this.#endHolds(null, null);
    this.#firstHoldAt ??= this.#tables.limits.firstDelay(null) ?? Infinity;
    if (this.#firstHoldAt > wallMs) return hasChanged;
    for (const hold of this.#tables.limits.endedDelays(wallMs, limit)) {
      this.#tables.limits.removeDelay(hold);
      this.refill(hold);
      hasChanged = true;
    }
    this.#firstHoldAt = null;
    return hasChanged;
  }

  /** A node claims by these limits: what others hold back is let go. Answers whether anything was. */
  noteLimits(
    { kinds, limits }: Pick<ClaimRequest, "kinds" | "limits">,
    stampOf: (kind: string) => string,
  ): boolean {
    if (this.#last?.kinds === kinds && this.#last.limits === limits) return false;
    this.#last = { kinds, ...(limits ? { limits } : {}) };
    // A hold that comes later brings its stamp: thousands of kinds need not be looked at for none.
    if (this.#tables.limits.firstDelay(null) === null) return false;
    let hasChanged = false;
    for (const kind of kinds) {
      const stamp = stampOf(kind);
      if (this.#stamps.get(kind) === stamp) continue;
      this.#stamps.set(kind, stamp);
      if (this.#tables.limits.firstDelay(kind) === null) continue;
      if (this.#endHolds(kind, stamp)) hasChanged = true;
    }
    return hasChanged;
  }

  // A clock that was set back must not make a hold longer than its span.
  #isSetBack(wallMs: number): boolean {
    return wallMs < this.#lastWallMs - SET_BACK_MS;
  }

  #endHolds(kind: string | null, stamp: string | null): boolean {
    this.#firstHoldAt = null;
    return this.#tables.limits.endDelays(kind, stamp) > 0;
  }
}
