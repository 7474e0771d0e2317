/** An operation that waits for room. */
interface Waiting {
  readonly weight: number;
  begin(): void;
}

/**
 * Limits concurrent work, by count or by weight. The rest waits in line, so light work does not
 * overtake. Work heavier than the limit runs alone.
 */
export class Semaphore {
  readonly #max: number;
  #taken = 0;
  /** Longest waiting first. */
  readonly #waiting = new Set<Waiting>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Wait for room for one, or until `signal`. Returns a function that releases it, once. */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    return this.#tryAcquire(1) ?? await this.#wait(1, signal);
  }

  /** Run an operation once there is room for its weight: within this call, if there is room now. */
  async run<T>(weight: number, operation: () => Promise<T>): Promise<T> {
    const release = this.#tryAcquire(weight) ?? await this.#wait(weight);
    try {
      return await operation();
    } finally {
      release();
    }
  }

  #tryAcquire(weight: number): (() => void) | null {
    return this.#waiting.size === 0 && this.#hasRoom(weight) ? this.#take(weight) : null;
  }

  #wait(weight: number, signal?: AbortSignal): Promise<() => void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(() => {});
      const leave = () => {
        if (this.#waiting.delete(waiting)) resolve(() => {});
      };
      const waiting = {
        weight,
        begin: () => {
          signal?.removeEventListener("abort", leave);
          resolve(this.#take(weight));
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #hasRoom(weight: number): boolean {
    return this.#taken === 0 || this.#taken + weight <= this.#max;
  }

  #take(weight: number): () => void {
    this.#taken += weight;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#taken -= weight;
      for (const next of this.#waiting) {
        if (!this.#hasRoom(next.weight)) return;
        this.#waiting.delete(next);
        next.begin();
      }
    };
  }
}
