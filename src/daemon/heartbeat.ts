import { messageOf } from "../core/errors.ts";
import type { HeartbeatSettings } from "../core/notices/heartbeat.ts";
import type { ManagerStatus } from "../manager/api.ts";
import { type Clock, sleep, type Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";

/** Status of the daemon for the heartbeat. */
export type HeartbeatStatus =
  & Pick<ManagerStatus, "isDraining" | "storeProblem" | "nextScheduleAt">
  & { readonly workers: Pick<ManagerStatus["workers"], "failedStarts"> };

/** Dependencies of a {@link Heartbeat}. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly status: () => Promise<HeartbeatStatus>;
  /** Send one request. @throws when it is not answered with 200 to 299 */
  readonly send: (settings: HeartbeatSettings, signal: AbortSignal) => Promise<void>;
}

/** Longest wait for the daemon's status, which reads the store, in milliseconds. */
export const STATUS_MS_MAX = 5_000;
/** Longest wait for the answer to a request, in milliseconds; shorter if it is sent more often. */
export const SEND_MS_MAX = 10_000;
/** Longest delay of the next tick, in milliseconds. */
export const BEHIND_MS = 60_000;
/** Time for the scheduler to catch up, in milliseconds: the host may just have woken up. */
export const CATCH_UP_MS = 5_000;
/** Consecutive failed starts of workers after which that counts. */
export const FAILED_STARTS = 3;
/** After a failure the next try comes after this part of the interval. */
const RETRY_PART = 4;
const STOPS = "The heartbeat stops";

/**
 * A dead man's switch: calls a URL while the daemon works, so that another host notices its
 * silence. One request runs at a time. The log says once that and why it stops, and once that it
 * resumes.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #settings: HeartbeatSettings | null = null;
  #timer: Timer | null = null;
  #abort = new AbortController();
  /** Monotonic ms since which it is silent, because the daemon is not well; null: it is not. */
  #silentSinceMs: number | null = null;
  #isUndelivered = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Begin, or continue with other settings; null ends it. */
  adopt(settings: HeartbeatSettings | null): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.stop();
    this.#settings = settings;
    if (settings !== null) void this.#beat(settings, this.#abort.signal);
  }

  /** End, including a request under way. @param reason for the log */
  stop(reason?: string): void {
    if (reason !== undefined && this.#settings !== null && this.#silentSinceMs === null) {
      this.#options.logger.info(STOPS, { reason });
    }
    this.#timer?.cancel();
    this.#timer = null;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#settings = null;
    this.#silentSinceMs = null;
    this.#isUndelivered = false;
  }

  async #beat(settings: HeartbeatSettings, signal: AbortSignal): Promise<void> {
    const isSent = await this.#checkAndSend(settings, signal);
    if (signal.aborted) return;
    const { everyMs } = settings;
    const delayMs = isSent ? everyMs : everyMs / RETRY_PART;
    const again = () => void this.#beat(settings, signal);
    this.#timer = this.#options.clock.timer(delayMs, again, { unref: true });
  }

  async #checkAndSend(settings: HeartbeatSettings, signal: AbortSignal): Promise<boolean> {
    const problem = await this.#problem(signal);
    if (signal.aborted) return false;
    this.#noteWellness(problem);
    if (problem !== null) return false;
    const error = await this.#send(settings, signal);
    if (signal.aborted) return false;
    this.#noteDelivery(error);
    return error === null;
  }

  /** Why the daemon is not well; null if it is. */
  async #problem(signal: AbortSignal): Promise<string | null> {
    const first = await this.#status(signal);
    const problem = this.#problemOf(first);
    // Nothing else recovers within seconds.
    if (problem === null || typeof first === "string" || !this.#isBehind(first)) return problem;
    await sleep(this.#options.clock, CATCH_UP_MS, signal);
    return this.#problemOf(await this.#status(signal));
  }

  #problemOf(status: HeartbeatStatus | string): string | null {
    if (typeof status === "string") return status;
    const { isDraining, storeProblem, workers } = status;
    if (isDraining) return "the daemon is stopping";
    if (storeProblem !== null) return `the store has a problem: ${storeProblem}`;
    if ((workers.failedStarts ?? 0) >= FAILED_STARTS) return "workers cannot be started";
    return this.#isBehind(status) ? "the scheduler is behind" : null;
  }

  #isBehind({ nextScheduleAt }: HeartbeatStatus): boolean {
    return nextScheduleAt !== null &&
      this.#options.clock.now().wallMs - nextScheduleAt > BEHIND_MS;
  }

  /** The status, or why it is unavailable. */
  #status(signal: AbortSignal): Promise<HeartbeatStatus | string> {
    const { clock, status } = this.#options;
    const failed = (error: unknown) => `the store does not respond: ${messageOf(error)}`;
    const late = () => `the store does not respond within ${STATUS_MS_MAX / 1_000} s`;
    return inTime(status().catch(failed), late, { clock, limitMs: STATUS_MS_MAX, signal });
  }

  /** Why a request failed; null if it succeeded. */
  async #send(settings: HeartbeatSettings, signal: AbortSignal): Promise<string | null> {
    const { clock, send } = this.#options;
    const limitMs = Math.min(SEND_MS_MAX, settings.everyMs);
    const request = new AbortController();
    const sent = send(settings, request.signal).then(() => null, (error) => messageOf(error));
    const late = () => `no response within ${limitMs / 1_000} s`;
    try {
      return await inTime(sent, late, { clock, limitMs, signal });
    } finally {
      // Nothing of a request remains when the next one begins.
      request.abort();
    }
  }

  #noteWellness(problem: string | null): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.now().monotonicMs;
    if (problem !== null) {
      if (this.#silentSinceMs !== null) return;
      this.#silentSinceMs = nowMs;
      logger.warn(STOPS, { reason: problem });
    } else if (this.#silentSinceMs !== null) {
      const silentMs = Math.round(nowMs - this.#silentSinceMs);
      this.#silentSinceMs = null;
      logger.info("The heartbeat resumes", { silentMs });
    }
  }

  #noteDelivery(error: string | null): void {
    if ((error !== null) === this.#isUndelivered) return;
    this.#isUndelivered = error !== null;
    const { logger } = this.#options;
    if (error === null) logger.info("The heartbeat succeeds again");
    else logger.warn("The heartbeat failed; trying again", { error });
  }
}

/** The result of a promise, or another value on timeout or when `signal` aborts. */
function inTime<T>(
  promise: Promise<T>,
  late: () => T,
  { clock, limitMs, signal }: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly signal: AbortSignal;
  },
): Promise<T> {
  const done = new AbortController();
  const end = () => done.abort();
  signal.addEventListener("abort", end, { once: true });
  return Promise.race([promise, sleep(clock, limitMs, done.signal).then(late)]).finally(() => {
    signal.removeEventListener("abort", end);
    end();
  });
}
