/** Instances that operations of one turn may write together. */
const INSTANCES_AT_ONCE = 1_000;

interface Waiting {
  readonly instances: number;
  begin(): void;
}

/**
 * Lets operations that write many instances at once wait for each other: the store executes those of one turn of the event loop
 * in one go, and what is due would wait for all of them. In the order in which they came; a single one is never kept waiting
 * behind small ones.
 */
export class BulkGate {
  readonly #waiting: Waiting[] = [];
  #running = 0;

  /** @param instances how many it may write */
  async run<T>(instances: number, operation: () => Promise<T>): Promise<T> {
    const turn = this.#enter(instances);
    // At once, where it can: what else comes in this turn of the event loop shares its transaction.
    if (turn !== null) await turn;
    try {
      return await operation();
    } finally {
      this.#running -= instances;
      this.#next();
    }
  }

  #enter(instances: number): Promise<void> | null {
    if (this.#waiting.length === 0 && this.#hasRoom(instances)) {
      this.#running += instances;
      return null;
    }
    return new Promise((resolve) => this.#waiting.push({ instances, begin: resolve }));
  }

  #hasRoom(instances: number): boolean {
    return this.#running === 0 || this.#running + instances <= INSTANCES_AT_ONCE;
  }

  #next(): void {
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || !this.#hasRoom(first.instances)) return;
      this.#waiting.shift();
      this.#running += first.instances;
      first.begin();
    }
  }
}
