import type { QueueDelay, QueueName, RateWindow, Starts } from "../ledger/tables/tables.ts";
import { MemoryLimits } from "../memory/limits.ts";
import type { Journal } from "./journal.ts";
import * as keys from "./keys.ts";

/** Delays and starts, with each change recorded in the journal; delays are each replica's own. */
export class ReplicaLimits extends MemoryLimits {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override saveDelay(delay: QueueDelay): void {
    const before = super.delayOf(delay);
    super.saveDelay(delay);
    this.#journal.own(() => before ? super.saveDelay(before) : super.removeDelay(delay));
  }

  override removeDelay(queue: QueueName): void {
    const before = super.delayOf(queue);
    super.removeDelay(queue);
    if (before) this.#journal.own(() => super.saveDelay(before));
  }

  override saveStarts(window: RateWindow, starts: Starts, expireAt: number): void {
    const before = super.windowOf(window);
    super.saveStarts(window, starts, expireAt);
    this.#journal.value(keys.windowKey(window), { starts, expireAt }, () => {
      if (before) super.saveStarts(window, before.starts, before.expireAt);
      else super.removeWindow(window);
    });
  }

  override removeWindow(window: RateWindow): boolean {
    const before = super.windowOf(window);
    if (!before) return false;
    this.#journal.value(keys.windowKey(window), null, () => {
      super.saveStarts(window, before.starts, before.expireAt);
    });
    return super.removeWindow(window);
  }
}
