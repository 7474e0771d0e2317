import type { Instance, Reason } from "../core/instance.ts";
import { isDeadState } from "../core/state.ts";
import { BurstLog } from "../platform/burst_log.ts";
import type { Clock } from "../platform/clock.ts";
import type { LogFields, Logger } from "../platform/logger.ts";

/** Most characters of an error's message in a line. */
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

/** Logs failed attempts and dead letters in the daemon's log, one line each. */
export class FailureLog {
  readonly #log: BurstLog;

  constructor(logger: Logger, clock: Clock) {
    this.#log = new BurstLog(logger, clock, "failures", "jobctl list instances --state terminated");
  }

  /**
   * An attempt of this node was settled.
   *
   * @param instance as it is after that
   */
  attempted(instance: Instance, durationMs: number): void {
    if (GOOD.has(instance.reason)) return;
    const isRetried = instance.state === "scheduled";
    this.#log.tell("warn", "An attempt failed", {
      ...fieldsOf(instance),
      durationMs: Math.round(durationMs),
      next: isRetried ? new Date(instance.dueAt).toISOString() : undefined,
    });
    this.ended(instance);
  }

  /** An instance has changed; logged if it ended as a dead letter. */
  ended(instance: Instance): void {
    if (!isDeadState(instance.state)) return;
    this.#log.tell("error", "An instance failed for good", {
      ...fieldsOf(instance),
      failures: instance.failures,
      crashes: instance.crashes,
    });
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
