import { countText } from "../core/text/count_text.ts";
import { formatDuration } from "../core/time/duration.ts";
import { type Clock, inTime, type Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { ServiceSocket } from "../platform/process/service_socket.ts";
import type { ServiceFacts } from "../manager/service_facts.ts";

/** Interval between reports without a watchdog, in milliseconds. */
const REPORT_MS = 30_000;
/** Longest wait for the number of waiting instances. */
const QUEUED_MS_MAX = 2_000;
/** Interval between a stop's requests for more time, and the requested time, in milliseconds. */
const EXTEND_EVERY_MS = 5_000;
const EXTEND_MS = 20_000;
/** Time for a stop after the drain: outcomes, handlers, workers and the store. */
const AFTER_DRAIN_MS = 30_000;

/** The stop of a daemon. */
export interface ServiceStop {
  readonly isUpgrade: boolean;
  readonly keepsCommands: boolean;
}

/** Dependencies of {@link ServiceReports}. */
export interface ServiceReportsOptions {
  readonly socket: ServiceSocket;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reports to the service manager that started this process, such as systemd: ready, reloading and
 * stopping, a line of status, and the pulses of the watchdog.
 *
 * A pulse is sent when the scheduler's loop has got a step further, so a loop, a thread or a
 * database that is stuck ends the pulses, and the service manager restarts the daemon.
 */
export class ServiceReports {
  readonly #options: ServiceReportsOptions;
  #facts: ServiceFacts | null = null;
  #timer: Timer | null = null;
  #isStopping = false;
  #isReloading = false;
  #isStuck = false;
  #status = "";
  #keepsCommands = false;
  #drainLimitMs = 0;

  constructor(options: ServiceReportsOptions) {
    this.#options = options;
  }

  ready(facts: ServiceFacts): void {
    this.#facts = facts;
    this.#options.socket.send({ READY: "1", STATUS: "Ready" });
    void this.#beat(facts);
  }

  reloading(isReloading: boolean): void {
    if (this.#isStopping || isReloading === this.#isReloading) return;
    this.#isReloading = isReloading;
    this.#status = "";
    const { socket } = this.#options;
    if (isReloading) socket.send({ RELOADING: "1", STATUS: "Reloading the configuration" });
    else {
      socket.send({ READY: "1", STATUS: "Ready" });
      if (this.#facts !== null) void this.#sendStatus(this.#facts);
    }
  }

  /**
   * A stop begins: running attempts have the time of their drain.
   *
   * @param options.isUpgrade the process continues with another program, which will be ready again
   * @param options.keepsCommands only others have to end
   */
  stopping({ isUpgrade, keepsCommands }: ServiceStop): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#timer?.cancel();
    this.#keepsCommands = keepsCommands;
    this.#drainLimitMs = this.#facts?.drain(keepsCommands).limitMs ?? 0;
    this.#options.socket.send(isUpgrade ? { RELOADING: "1" } : { STOPPING: "1" });
    this.#extend(this.#options.clock.now().monotonicMs + this.#drainLimitMs + AFTER_DRAIN_MS);
  }

  /** Ends the reports. Resolves when all are sent. */
  async close(): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    await this.#options.socket.sent();
  }

  /** Interval between heartbeats: half the watchdog's limit. */
  get #everyMs(): number {
    const { watchdogMs } = this.#options.socket;
    return watchdogMs === null ? REPORT_MS : Math.min(REPORT_MS, watchdogMs / 2);
  }

  async #beat(facts: ServiceFacts): Promise<void> {
    const { socket, clock } = this.#options;
    const everyMs = this.#everyMs;
    const sinceMs = clock.now().monotonicMs;
    // With half of this for the store, a slow step is seen before the next beat.
    const isWorking = socket.watchdogMs === null || await facts.isWorking(everyMs / 2);
    if (this.#isStopping) return;
    if (isWorking && socket.watchdogMs !== null) socket.send({ WATCHDOG: "1" });
    this.#noteStuck(!isWorking);
    await this.#sendStatus(facts);
    if (this.#isStopping) return;
    const leftMs = isWorking ? sinceMs + everyMs - clock.now().monotonicMs : 0;
    this.#timer = clock.timer(Math.max(0, leftMs), () => void this.#beat(facts), { unref: true });
  }

  #noteStuck(isStuck: boolean): void {
    if (isStuck === this.#isStuck) return;
    this.#isStuck = isStuck;
    const { logger } = this.#options;
    if (!isStuck) return logger.info("The scheduler continues");
    logger.error("The scheduler does not get on: the watchdog is not told that all is well");
  }

  async #sendStatus(facts: ServiceFacts): Promise<void> {
    const { busy, count } = facts.workers();
    const problem = facts.storeProblem();
    const parts = [`Running ${busy} of ${count}`];
    if (this.#isStuck) parts.push("the scheduler does not get on");
    if (problem !== null) parts.push("the store does not respond");
    else {
      const queued = await this.#queued(facts);
      if (queued !== null) parts.push(`${queued} queued`);
    }
    parts.push(...facts.listenerProblems());
    const reload = facts.reloadProblem();
    if (reload !== null) parts.push(`the last reload: ${reload}`);
    if (!this.#isStopping && !this.#isReloading) this.#send(parts.join(", "));
  }

  async #queued(facts: ServiceFacts): Promise<number | null> {
    const { clock } = this.#options;
    const queued = facts.queued().catch(() => null);
    return await inTime<number | null>(queued, QUEUED_MS_MAX, { clock, late: () => null });
  }

  /** Send a status unless it repeats the last one. */
  #send(status: string): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#options.socket.send({ STATUS: status });
  }

  // The time is limited: a stop that hangs is ended by the service manager.
  #extend(untilMs: number): void {
    const { socket, clock } = this.#options;
    if (clock.now().monotonicMs >= untilMs) return;
    const pulse: Record<string, string> = socket.watchdogMs === null ? {} : { WATCHDOG: "1" };
    socket.send({
      ...pulse,
      EXTEND_TIMEOUT_USEC: String(EXTEND_MS * 1_000),
      STATUS: this.#stoppingText(),
    });
    const delayMs = Math.min(EXTEND_EVERY_MS, this.#everyMs);
    this.#timer = clock.timer(delayMs, () => this.#extend(untilMs), { unref: true });
  }

  #stoppingText(): string {
    const { count } = this.#facts?.drain(this.#keepsCommands) ?? { count: 0 };
    if (count === 0) return "Stopping";
    const limit = formatDuration(this.#drainLimitMs);
    return `Stopping: waiting up to ${limit} for ${countText(count, "running job")}`;
  }
}
