import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

const RECORDS_MAX = 50;
const PERIOD_MS = 1_000;

/** Writes the first 50 records of each second that others may cause, and a count of the rest. */
export class BurstLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #hint: string;
  #periodMs = -Infinity;
  #written = 0;
  #omitted = 0;

  /**
   * @param subject the records in the plural, for the message that counts the others
   * @param hint where to find unwritten records
   */
  constructor(logger: Logger, clock: Clock, subject: string, hint: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#subject = subject;
    this.#hint = hint;
  }

  tell(level: "info" | "warn" | "error", message: string, fields: LogFields): void {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#periodMs >= PERIOD_MS) {
      this.#periodMs = nowMs;
      this.#written = 0;
    }
    if (this.#written < RECORDS_MAX) {
      this.#written += 1;
      this.#logger[level](message, fields);
      return;
    }
    if (this.#omitted === 0) {
      this.#clock.timer(PERIOD_MS, () => this.#writeOmitted(), { unref: true });
    }
    this.#omitted += 1;
  }

  #writeOmitted(): void {
    this.#logger.warn(`Too many ${this.#subject} to log each one`, {
      omitted: this.#omitted,
      hint: this.#hint,
    });
    this.#omitted = 0;
  }
}
