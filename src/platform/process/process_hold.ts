// The longest period that every runtime takes.
const PERIOD_MS = 2 ** 30;

/**
 * Keeps the process alive while something holds it: the event loop of an otherwise idle process
 * runs empty and ends it, even under a promise that somebody awaits.
 */
export class ProcessHold {
  #timer: ReturnType<typeof setInterval> | null = null;
  #count = 0;

  /** Hold the process. @returns how to release it; further calls of that do nothing */
  hold(): () => void {
    let isHeld = true;
    this.#count += 1;
    this.#timer ??= setInterval(() => {}, PERIOD_MS);
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count -= 1;
      if (this.#count > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  /** Hold the process until a promise is settled. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      return await work();
    } finally {
      release();
    }
  }
}
