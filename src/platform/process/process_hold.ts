// The longest period that every runtime takes.
const PERIOD_MS = 2 ** 30;

/**
 * Keeps the process alive while something holds it. Otherwise an idle process ends with its event
 * loop, even if code awaits a promise.
 */
export class ProcessHold {
  #timer: ReturnType<typeof setInterval> | null = null;
  #count = 0;

  /** Keep the process alive. @returns a function that releases it; repeated calls do nothing */
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
