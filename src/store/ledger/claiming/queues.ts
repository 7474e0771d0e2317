import type { ClaimRequest } from "../../store.ts";
import { compareReady, isKeyed, readyKeyOf, type Row } from "../tables/row.ts";
import type { PromotedRow, QueueDelay, QueueName, Tables } from "../tables/tables.ts";

/** Distance by which the clock may go back before delays are checked again, in milliseconds. */
const SET_BACK_MS = 1_000;

/**
 * Offers claims at most one row of each queue with a key: its first one, or none while a rate
 * delays the queue. A claim inspects only this row of any queue.
 */
export class Queues {
  readonly #tables: Tables;
  readonly #move: (row: Row, isBehind: boolean) => void;
  /** When the first delay ends; null if unknown. */
  #firstDelayAt: number | null = null;
  #lastWallMs = -Infinity;
  /** The limits that cause the delays of a kind, as text; absent if unknown. */
  readonly #stamps = new Map<string, string>();
  /** The limits of the last claim. */
  #last: Pick<ClaimRequest, "kinds" | "limits"> | null = null;

  /** @param move records that a ready row is behind its queue's first, or no longer */
  constructor(tables: Tables, move: (row: Row, isBehind: boolean) => void) {
    this.#tables = tables;
    this.#move = move;
  }

  /** Load from the tables. @param wallMs the recorded time */
  load(wallMs: number): void {
    this.#firstDelayAt = null;
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

  /** The offered row of a queue was taken: offer the next. */
  refill(queue: QueueName): void {
    const next = this.#tables.waiting.firstOfQueue(queue, true);
    if (next && !this.#tables.limits.delayOf(queue)) this.#move(next, false);
  }

  /** Offer the first row of a queue after other changes. */
  settle(queue: QueueName): void {
    const offered = this.#tables.waiting.firstOfQueue(queue, false);
    if (!offered) return this.refill(queue);
    const next = this.#tables.waiting.firstOfQueue(queue, true);
    if (!next || compareReady(readyKeyOf(offered), readyKeyOf(next)) < 0) return;
    this.#move(offered, true);
    this.#move(next, false);
  }

  /** Offer the first row of each queue that promoted rows belong to. */
  settlePromoted(promoted: readonly PromotedRow[]): void {
    const queues = new Map<string, QueueName>();
    for (const { kind, queueKey } of promoted) {
      if (isKeyed({ kind, queueKey })) queues.set(`${kind} ${queueKey}`, { kind, queueKey });
    }
    for (const queue of queues.values()) this.settle(queue);
  }

  /** Offer no row of a queue until a time. */
  delay(delay: QueueDelay): void {
    const offered = this.#tables.waiting.firstOfQueue(delay, false);
    if (offered) this.#move(offered, true);
    this.#tables.limits.saveDelay(delay);
    this.#stamps.set(delay.kind, delay.stamp);
    this.#firstDelayAt = null;
  }

  /** When a claim with this stamp of limits releases a delayed queue; Infinity without delays. */
  opensAt(kind: string, stamp: string, wallMs: number): number {
    const firstAt = this.#tables.limits.firstDelay(kind);
    if (firstAt === null) return Infinity;
    const isLetGo = this.#stamps.get(kind) !== stamp || this.#isSetBack(wallMs);
    return isLetGo ? wallMs : firstAt;
  }

  /** End the delays whose time is over. @returns true if there were any */
  release(wallMs: number, limit: number): boolean {
    const isSetBack = this.#isSetBack(wallMs);
    this.#lastWallMs = isSetBack ? wallMs : Math.max(this.#lastWallMs, wallMs);
    let hasChanged = isSetBack && this.#endDelays(null, null);
    this.#firstDelayAt ??= this.#tables.limits.firstDelay(null) ?? Infinity;
    if (this.#firstDelayAt > wallMs) return hasChanged;
    for (const delay of this.#tables.limits.endedDelays(wallMs, limit)) {
      this.#tables.limits.removeDelay(delay);
      this.refill(delay);
      hasChanged = true;
    }
    this.#firstDelayAt = null;
    return hasChanged;
  }

  /** A node claims with these limits: end delays of others. @returns true if there were any */
  noteLimits(
    { kinds, limits }: Pick<ClaimRequest, "kinds" | "limits">,
    stampOf: (kind: string) => string,
  ): boolean {
    if (this.#last?.kinds === kinds && this.#last.limits === limits) return false;
    this.#last = { kinds, limits };
    // A later delay brings its stamp: thousands of kinds without any delay need no check.
    if (this.#tables.limits.firstDelay(null) === null) return false;
    let hasChanged = false;
    for (const kind of kinds) {
      const stamp = stampOf(kind);
      if (this.#stamps.get(kind) === stamp) continue;
      this.#stamps.set(kind, stamp);
      if (this.#tables.limits.firstDelay(kind) === null) continue;
      if (this.#endDelays(kind, stamp)) hasChanged = true;
    }
    return hasChanged;
  }

  // A clock that was set back must not make a delay longer than its window.
  #isSetBack(wallMs: number): boolean {
    return wallMs < this.#lastWallMs - SET_BACK_MS;
  }

  #endDelays(kind: string | null, stamp: string | null): boolean {
    this.#firstDelayAt = null;
    return this.#tables.limits.endDelays(kind, stamp) > 0;
  }
}
