import type { Hold, QueueName, RateStarts, RateWindow, Starts } from "../ledger/tables/tables.ts";
import { compareText } from "../records.ts";
import { type Key, SortedKeys } from "./sorted_keys.ts";

const LOWEST: Key = [-Infinity, -Infinity, -Infinity];

/** Starts that a rate counts. */
export interface WindowStarts {
  readonly window: RateWindow;
  readonly starts: Starts;
  readonly expireAt: number;
}

/** Holds of queues and starts of windows in this process's memory. */
export class MemoryLimits {
  readonly #holds = new Map<string, Hold & { readonly number: number }>();
  readonly #nameByNumber = new Map<number, string>();
  readonly #times = new SortedKeys();
  readonly #timesByKind = new Map<string, SortedKeys>();
  #number = 0;
  /** By queue, then by span. */
  readonly #windows = new Map<string, Map<number, WindowStarts>>();

  hold(queue: QueueName): Hold | null {
    return this.#holds.get(nameOf(queue)) ?? null;
  }

  saveHold(hold: Hold): void {
    this.removeHold(hold);
    const number = ++this.#number;
    const { kind, queueKey, until, stamp } = hold;
    this.#holds.set(nameOf(hold), { kind, queueKey, until, stamp, number });
    this.#nameByNumber.set(number, nameOf(hold));
    this.#times.add([until, 0, number]);
    let times = this.#timesByKind.get(kind);
    if (!times) this.#timesByKind.set(kind, times = new SortedKeys());
    times.add([until, 0, number]);
  }

  removeHold(queue: QueueName): void {
    const hold = this.#holds.get(nameOf(queue));
    if (!hold) return;
    this.#holds.delete(nameOf(queue));
    this.#nameByNumber.delete(hold.number);
    this.#times.delete([hold.until, 0, hold.number]);
    const times = this.#timesByKind.get(hold.kind)!;
    times.delete([hold.until, 0, hold.number]);
    if (!times.first()) this.#timesByKind.delete(hold.kind);
  }

  endedHolds(wallMs: number, limit: number): readonly Hold[] {
    const ended: Hold[] = [];
    for (const [until, , number] of this.#times.walk(LOWEST, false)) {
      if (until > wallMs || ended.length === limit) break;
      ended.push(this.#holds.get(this.#nameByNumber.get(number)!)!);
    }
    return ended;
  }

  firstHold(kind: string | null): number | null {
    const times = kind === null ? this.#times : this.#timesByKind.get(kind);
    return times?.first()?.[0] ?? null;
  }

  /** Holds of a kind, or of all, by other limits than those of a stamp, that have not ended. */
  holdsBut(kind: string | null, stamp: string | null): readonly Hold[] {
    return [...this.#holds.values()].filter((hold) =>
      (kind === null || hold.kind === kind) && hold.stamp !== stamp && hold.until > 0
    );
  }

  starts(window: RateWindow): Starts {
    const windows = this.#windows.get(nameOf(window));
    if (!windows) return [];
    const longest = Math.max(...windows.keys());
    return (windows.get(window.perMs) ?? windows.get(longest))!.starts;
  }

  saveStarts(window: RateWindow, starts: Starts, expireAt: number): void {
    const name = nameOf(window);
    let windows = this.#windows.get(name);
    if (!windows) this.#windows.set(name, windows = new Map());
    const { kind, queueKey, perMs } = window;
    const named = { kind, queueKey, perMs };
    windows.set(perMs, { window: named, starts: [...starts], expireAt });
  }

  /** By kind, queue and span, after one. */
  rates(after: RateWindow | null, limit: number): readonly RateStarts[] {
    const all = [...this.#windows.values()].flatMap((windows) => [...windows.values()])
      .map(({ window, starts, expireAt }) => ({ ...window, starts, expireAt }));
    all.sort(compareWindows);
    return all.filter((one) => !after || compareWindows(one, after) > 0).slice(0, limit);
  }

  windowOf(window: RateWindow): WindowStarts | null {
    return this.#windows.get(nameOf(window))?.get(window.perMs) ?? null;
  }

  removeWindow(window: RateWindow): void {
    const name = nameOf(window);
    const windows = this.#windows.get(name);
    windows?.delete(window.perMs);
    if (windows?.size === 0) this.#windows.delete(name);
  }

  /** Windows whose starts no longer count. */
  expiredWindows(before: number, limit: number): readonly RateWindow[] {
    const expired: RateWindow[] = [];
    for (const windows of this.#windows.values()) {
      for (const { window, expireAt } of windows.values()) {
        if (expired.length === limit) return expired;
        if (expireAt <= before) expired.push(window);
      }
    }
    return expired;
  }
}

function compareWindows(left: RateWindow, right: RateWindow): number {
  return compareText(left.kind, right.kind) || compareText(left.queueKey, right.queueKey) ||
    left.perMs - right.perMs;
}

function nameOf({ kind, queueKey }: QueueName): string {
  return `${kind} ${queueKey}`;
}
