/** Lets a limited number at once do something that takes much memory; the others wait in line. */
export class Semaphore {
  readonly #max: number;
  /** What begins their turns, longest waiting first. */
  readonly #waiting = new Set<() => void>();
  #takenCount = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Wait for a turn.
   *
   * @param signal ends the wait without a turn
   * @returns a function that ends the turn; further calls of it do nothing
   */
  acquire(signal?: AbortSignal): Promise<() => void> {
    if (this.#takenCount < this.#max) {
      this.#takenCount += 1;
      return Promise.resolve(this.#turn());
    }
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(() => {});
      const begin = () => {
        signal?.removeEventListener("abort", leave);
        resolve(this.#turn());
      };
      const leave = () => {
        if (this.#waiting.delete(begin)) resolve(() => {});
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.add(begin);
    });
  }

  #turn(): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const [next] = this.#waiting;
      if (next === undefined) {
        this.#takenCount -= 1;
        return;
      }
      this.#waiting.delete(next);
      next();
    };
  }
}
