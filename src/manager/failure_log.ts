import type { Instance, Reason } from "../core/instance.ts";
import { isDeadState } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { LogFields, Logger } from "../platform/logger.ts";

/** Most failed attempts told in one second; the others are counted. */
const LINES_MAX = 50;
const PERIOD_MS = 1_000;
/** Most characters of an error's message in one line. */
const MESSAGE_CHARS = 500;

/** Reasons of an attempt that ended without a failure. */
const GOOD: ReadonlySet<Reason | null> = new Set<Reason | null>([
  null,
  "ok",
  "snoozed",
  "released",
  "canceled",
  "replaced",
]);

/** Tells failed attempts and dead letters in the daemon's log, one line each. */
export class FailureLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  #periodMs = -Infinity;
  #lines = 0;
  #untold = 0;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /**
   * An attempt of this node was settled.
   *
   * @param instance as it is after that
   */
  attempted(instance: Instance, durationMs: number): void {
    if (GOOD.has(instance.reason)) return;
    const isRetried = instance.state === "scheduled";
    this.#tell("warn", "An attempt failed", {
      ...fieldsOf(instance),
      durationMs: Math.round(durationMs),
      next: isRetried ? new Date(instance.dueAt).toISOString() : undefined,
    });
    this.ended(instance);
  }

  /** An instance has changed; told if it ended as a dead letter. */
  ended(instance: Instance): void {
    if (!isDeadState(instance.state)) return;
    this.#tell("error", "An instance failed for good", {
      ...fieldsOf(instance),
      failures: instance.failures,
      crashes: instance.crashes,
    });
  }

  #tell(level: "warn" | "error", message: string, fields: LogFields): void {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#periodMs >= PERIOD_MS) this.#begin(nowMs);
    if (this.#lines < LINES_MAX) {
      this.#lines += 1;
      this.#logger[level](message, fields);
      return;
    }
    // The first one that is left out sees to it that the number is told, also if no other follows.
    if (this.#untold === 0) {
      this.#clock.timer(PERIOD_MS, () => this.#tellUntold(), { unref: true });
    }
    this.#untold += 1;
  }

  #begin(nowMs: number): void {
    this.#periodMs = nowMs;
    this.#lines = 0;
  }

  #tellUntold(): void {
    this.#logger.warn("More failures than are told one by one", {
      untold: this.#untold,
      hint: "jobctl list instances --state terminated",
    });
    this.#untold = 0;
  }
}

function fieldsOf(instance: Instance): LogFields {
  const { kind, id, attempt, reason, error } = instance;
  return {
    kind,
    instance: id,
    attempt,
    reason: reason ?? undefined,
    exit: error?.exitCode,
    signal: error?.signal,
    error: error === null ? undefined : `${error.name}: ${error.message}`.slice(0, MESSAGE_CHARS),
  };
}
