import type {
  LimitTable,
  QueueDelay,
  QueueName,
  RateStarts,
  RateWindow,
  Starts,
} from "../ledger/tables/tables.ts";
import { compareText } from "../records.ts";
import { LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Delays of queues, and starts in windows. */
export class MemoryLimits implements LimitTable {
  readonly #delays = new Map<string, QueueDelay & { readonly number: number }>();
  readonly #nameByNumber = new Map<number, string>();
  readonly #times = new SortedKeys();
  readonly #timesByKind = new Map<string, SortedKeys>();
  #number = 0;
  /** By queue, then by length of the window. */
  readonly #windows = new Map<string, Map<number, RateStarts>>();

  delayOf(queue: QueueName): QueueDelay | null {
    return this.#delays.get(nameOf(queue)) ?? null;
  }

  saveDelay(delay: QueueDelay): void {
    this.removeDelay(delay);
    const number = ++this.#number;
    const { kind, queueKey, until, stamp } = delay;
    this.#delays.set(nameOf(delay), { kind, queueKey, until, stamp, number });
    this.#nameByNumber.set(number, nameOf(delay));
    this.#times.add([until, 0, number]);
    let times = this.#timesByKind.get(kind);
    if (!times) this.#timesByKind.set(kind, times = new SortedKeys());
    times.add([until, 0, number]);
  }

  removeDelay(queue: QueueName): void {
    const delay = this.#delays.get(nameOf(queue));
    if (!delay) return;
    this.#delays.delete(nameOf(queue));
    this.#nameByNumber.delete(delay.number);
    this.#times.delete([delay.until, 0, delay.number]);
    const times = this.#timesByKind.get(delay.kind)!;
    times.delete([delay.until, 0, delay.number]);
    if (!times.first()) this.#timesByKind.delete(delay.kind);
  }

  endedDelays(wallMs: number, limit: number): readonly QueueDelay[] {
    const ended: QueueDelay[] = [];
    for (const [until, , number] of this.#times.walk(LOWEST, false)) {
      if (until > wallMs || ended.length === limit) break;
      ended.push(this.#delays.get(this.#nameByNumber.get(number)!)!);
    }
    return ended;
  }

  firstDelay(kind: string | null): number | null {
    const times = kind === null ? this.#times : this.#timesByKind.get(kind);
    return times?.first()?.[0] ?? null;
  }

  endDelays(kind: string | null, stamp: string | null): number {
    const ended = [...this.#delays.values()].filter((delay) =>
      (kind === null || delay.kind === kind) && delay.stamp !== stamp && delay.until > 0
    );
    for (const delay of ended) this.saveDelay({ ...delay, until: 0 });
    return ended.length;
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
    windows.set(perMs, { kind, queueKey, perMs, starts: [...starts], expireAt });
  }

  windows(after: RateWindow | null, limit: number): readonly RateStarts[] {
    const all = [...this.#windows.values()].flatMap((windows) => [...windows.values()]);
    all.sort(compareWindows);
    return all.filter((one) => !after || compareWindows(one, after) > 0).slice(0, limit);
  }

  windowOf(window: RateWindow): RateStarts | null {
    return this.#windows.get(nameOf(window))?.get(window.perMs) ?? null;
  }

  removeWindow(window: RateWindow): boolean {
    const name = nameOf(window);
    const windows = this.#windows.get(name);
    const exists = windows?.delete(window.perMs) ?? false;
    if (windows?.size === 0) this.#windows.delete(name);
    return exists;
  }

  removeExpired(before: number, limit: number): number {
    const expired: RateWindow[] = [];
    for (const windows of this.#windows.values()) {
      for (const window of windows.values()) {
        if (expired.length < limit && window.expireAt <= before) expired.push(window);
      }
    }
    for (const window of expired) this.removeWindow(window);
    return expired.length;
  }
}

function compareWindows(left: RateWindow, right: RateWindow): number {
  return compareText(left.kind, right.kind) || compareText(left.queueKey, right.queueKey) ||
    left.perMs - right.perMs;
}

function nameOf({ kind, queueKey }: QueueName): string {
  return `${kind} ${queueKey}`;
}
