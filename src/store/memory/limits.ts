import type {
  LimitTable,
  QueueDelay,
  QueueName,
  RateStarts,
  RateWindow,
  Starts,
} from "../ledger/tables/tables.ts";
import { compareText } from "../records.ts";
import type { Changed } from "./changed.ts";
import { KeyFamily, LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Delays of queues, and starts in windows. */
export class MemoryLimits implements LimitTable {
  readonly #delays = new Map<string, QueueDelay & { readonly number: number }>();
  readonly #nameByNumber = new Map<number, string>();
  readonly #times = new SortedKeys();
  readonly #timesByKind = new KeyFamily<string>();
  #number = 0;
  /** By queue, then by length of the window. */
  readonly #windows = new Map<string, Map<number, RateStarts>>();
  readonly #changedDelay: Changed<QueueName, QueueDelay> | undefined;
  readonly #changedWindow: Changed<RateWindow, RateStarts> | undefined;

  constructor(
    changed: {
      readonly delay?: Changed<QueueName, QueueDelay>;
      readonly window?: Changed<RateWindow, RateStarts>;
    } = {},
  ) {
    this.#changedDelay = changed.delay;
    this.#changedWindow = changed.window;
  }

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
    this.#timesByKind.add(kind, [until, 0, number]);
    this.#changedDelay?.(delay, delay, () => this.removeDelay(delay));
  }

  removeDelay(queue: QueueName): void {
    const delay = this.#delays.get(nameOf(queue));
    if (!delay) return;
    this.#delays.delete(nameOf(queue));
    this.#nameByNumber.delete(delay.number);
    this.#times.delete([delay.until, 0, delay.number]);
    this.#timesByKind.delete(delay.kind, [delay.until, 0, delay.number]);
    this.#changedDelay?.(queue, null, () => this.saveDelay(delay));
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
    const before = windows.get(perMs);
    const saved: RateStarts = { kind, queueKey, perMs, starts: [...starts], expireAt };
    windows.set(perMs, saved);
    this.#changedWindow?.(saved, saved, () => {
      if (before) this.saveStarts(before, before.starts, before.expireAt);
      else this.removeWindow(saved);
    });
  }

  windows(after: RateWindow | null, limit: number): readonly RateStarts[] {
    const all = [...this.#windows.values()].flatMap((windows) => [...windows.values()]);
    all.sort(compareWindows);
    return all.filter((one) => !after || compareWindows(one, after) > 0).slice(0, limit);
  }

  removeWindow(window: RateWindow): boolean {
    const name = nameOf(window);
    const windows = this.#windows.get(name);
    const before = windows?.get(window.perMs);
    if (!windows || !before) return false;
    windows.delete(window.perMs);
    if (windows.size === 0) this.#windows.delete(name);
    this.#changedWindow?.(before, null, () => {
      this.saveStarts(before, before.starts, before.expireAt);
    });
    return true;
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
