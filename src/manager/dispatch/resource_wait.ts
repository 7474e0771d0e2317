import { type Backoff, backoffMs } from "../../core/backoff.ts";
import type { ErrorInfo } from "../../core/instance.ts";
import type { AttemptOutcome } from "../../worker/executor.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import { notStarted } from "./settlement.ts";
import type { Context } from "../context/context.ts";

/** Waits between tries to start an attempt. */
const TRY: Backoff = { firstMs: 100, longestMs: 2_000 };
/** Time for which an attempt is tried on this node before it is released. */
const TRY_FOR_MS = 15_000;
/** Waits before a released attempt may be claimed again. */
const RELEASE: Backoff = { firstMs: 5_000, longestMs: 300_000 };
/** Shortest time between two warnings in the daemon's log. */
const WARN_EVERY_MS = 10_000;
/** Most instances remembered; for any beyond, the wait starts over. */
const KNOWN_MAX = 10_000;

type Unstarted = Extract<AttemptOutcome, { readonly type: "unstarted" }>;

interface ResourceWaitOptions extends Pick<Context, "clock" | "logger"> {
  /** Tries again; the deadline is the lease's at that time. */
  readonly retry: (running: RunningAttempt, deadlineMs: number) => void;
  /** Called if it is aborted or released. */
  readonly ended: (running: RunningAttempt, outcome: AttemptOutcome) => void;
}

/** An instance waiting for a resource. */
interface Known {
  /** Tries since its last claim, and the time of the first one in monotonic ms. */
  readonly tries: number;
  readonly sinceMs: number;
  readonly releases: number;
}

/**
 * Attempts that cannot start because the system is out of processes, descriptors or memory. They
 * have not failed. Each is retried for some seconds while it keeps its place on this node, and is
 * then released for a while, so that other nodes can take it.
 */
export class ResourceWait {
  readonly #options: ResourceWaitOptions;
  readonly #known = new Map<string, Known>();
  #warnedMs = -Infinity;
  #unwarned = 0;

  constructor(options: ResourceWaitOptions) {
    this.#options = options;
  }

  /** Wait, then retry or release it. */
  enter(running: RunningAttempt, outcome: Unstarted, deadlineMs: number): void {
    const { clock, retry, ended } = this.#options;
    const { id } = running.instance;
    const nowMs = clock.now().monotonicMs;
    const known = this.#known.get(id) ?? this.#begin(running, outcome.error);
    const sinceMs = known.tries === 0 ? nowMs : known.sinceMs;
    this.#warn(running, outcome.error);
    if (nowMs - sinceMs >= TRY_FOR_MS) {
      this.#keep(id, { tries: 0, sinceMs, releases: known.releases + 1 });
      return ended(running, outcome);
    }
    this.#keep(id, { ...known, tries: known.tries + 1, sinceMs });
    let untilMs = deadlineMs;
    const delayMs = backoffMs(TRY, known.tries);
    const timer = clock.timer(delayMs, () => retry(running, untilMs));
    running.attempt = {
      outcome: new Promise(() => {}),
      extend: (laterMs) => {
        untilMs = laterMs;
      },
      abort: (cause) => {
        timer.cancel();
        ended(running, notStarted(cause));
      },
    };
  }

  /** An attempt is over. @returns time until it may be claimed again, in milliseconds */
  leave({ instance: { id } }: RunningAttempt, outcome: AttemptOutcome): number {
    if (this.#known.size === 0) return 0;
    if (outcome.type !== "unstarted") {
      this.#known.delete(id);
      return 0;
    }
    const releases = this.#known.get(id)?.releases ?? 1;
    return backoffMs(RELEASE, releases - 1);
  }

  // Logged once per instance, for any duration.
  #begin(running: RunningAttempt, error: ErrorInfo): Known {
    const message = `Waiting to start, which is not a failure: ${error.message}`;
    const at = this.#options.clock.now().wallMs;
    running.log([{ at, level: "warn", source: "system", message }]);
    return { tries: 0, sinceMs: 0, releases: 0 };
  }

  #keep(id: string, known: Known): void {
    this.#known.delete(id);
    this.#known.set(id, known);
    if (this.#known.size <= KNOWN_MAX) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }

  #warn({ instance }: RunningAttempt, error: ErrorInfo): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) {
      this.#unwarned += 1;
      return;
    }
    this.#options.logger.warn(
      "Attempts are waiting to start: the system has no room for another process",
      {
        kind: instance.kind,
        instance: instance.id,
        error: error.message,
        ...(this.#unwarned === 0 ? {} : { suppressed: this.#unwarned }),
      },
    );
    this.#warnedMs = nowMs;
    this.#unwarned = 0;
  }
}
