import process from "node:process";
import { encodeError } from "../core/arguments/encode.ts";
import { JobError, toJobError } from "../core/errors.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { Manager } from "../manager/manager.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Reloader } from "./reloader.ts";

/** Time that a stop may take beyond its drain, and after a second request. */
const REST_MS = 5_000;
const AGAIN_MS = 2_000;

interface StopLimitOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The part that the stop waits for. */
  readonly waitsFor: () => string;
  readonly kill: () => void;
  readonly exit: (code: number) => void;
}

/**
 * The last resort of a stop: no part of the daemon can keep the process alive for longer than its
 * drain and 5 s, or than 2 s after a second request.
 */
class StopLimit {
  readonly #options: StopLimitOptions;
  #timer: Timer | null = null;
  #beganMs = 0;
  #isStopped = false;

  constructor(options: StopLimitOptions) {
    this.#options = options;
  }

  /** A stop with this much time for what runs has begun, or begins anew. */
  begin(drainMs: number): void {
    if (this.#timer === null) this.#beganMs = this.#options.clock.now().monotonicMs;
    this.#set(drainMs + REST_MS);
  }

  /** The stop was requested again. */
  hurry(): void {
    this.#set(AGAIN_MS);
  }

  /** All parts have stopped: the process now ends, unless one of them still holds it. */
  stopped(): void {
    this.#isStopped = true;
    this.#set(AGAIN_MS);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #set(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.timer(delayMs, () => this.#end(), { unref: true });
  }

  #end(): void {
    const { clock, logger, waitsFor, kill, exit } = this.#options;
    if (this.#isStopped) return exit(0);
    const seconds = Math.round((clock.now().monotonicMs - this.#beganMs) / 1_000);
    try {
      logger.error("The daemon did not stop in time: killing it and everything that it runs", {
        seconds,
        waits_for: waitsFor(),
        hint: "The next start takes back everything that was not recorded",
      });
      kill();
    } finally {
      exit(1);
    }
  }
}

/** The parts of a running daemon that a stop ends. */
export interface StoppableDaemon {
  readonly manager: Pick<Manager, "stop" | "stopControl"> & {
    serviceFacts(): Pick<ReturnType<Manager["serviceFacts"]>, "drain">;
  };
  readonly gateway: { stop(options: { readonly keepsSockets: boolean }): Promise<void> };
  readonly heartbeat: { stop(reason: string): void };
  /** Resolves with the reason when it can no longer be a node of its store and must stop. */
  readonly lost: Promise<Error>;
}

/** Action after a stop: none, or start this program or the one in its file. */
export type AfterStop = "nothing" | "restart" | "upgrade";

interface StopSignalsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `worker.drain`, in milliseconds. */
  readonly drainMs: number;
  /** Ends the process; tests replace it. */
  readonly exit?: (code: number) => void;
  readonly isWindows: boolean;
  /** Effect of SIGTERM on commands; null if they run on only when systemd restarts us. */
  readonly onStop: "keep" | "drain" | null;
  /** The unit's fate according to systemd; null if unknown. */
  readonly unitFate: () => Promise<"restart" | "stop" | null>;
}

/**
 * Handles signals from before the start to the end: the first SIGTERM or SIGINT drains, the next
 * one aborts, SIGHUP reloads. The daemon always ends in time. On Windows, Ctrl-C is a SIGINT,
 * Ctrl-Break a SIGBREAK, and a closed window a SIGHUP, after which the system ends the process
 * within seconds. Callers can stop the daemon the same way.
 */
export class StopSignals {
  readonly #options: StopSignalsOptions;
  readonly #signals: readonly NodeJS.Signals[];
  readonly #limit: StopLimit;
  readonly #first = Promise.withResolvers<NodeJS.Signals | null>();
  #daemon: StoppableDaemon | null = null;
  #reloader: Reloader | null = null;
  #isHungUp = false;
  #isStopping = false;
  #isDraining = false;
  /** True if commands must end too, regardless of the first stop request. */
  #endsAll = false;
  #isAborting = false;
  #after: AfterStop = "nothing";

  constructor(options: StopSignalsOptions) {
    const { isWindows } = options;
    this.#options = options;
    this.#limit = new StopLimit({
      exit: (code) => process.exit(code),
      ...options,
      waitsFor: () => this.#daemon?.manager.stopControl.waitsFor ?? "its start",
      kill: () => this.#daemon?.manager.stopControl.kill(),
    });
    this.#signals = isWindows ? ["SIGTERM", "SIGINT", "SIGBREAK", "SIGHUP"] : ["SIGTERM", "SIGINT"];
    for (const signal of this.#signals) process.on(signal, this.#onStop);
    if (!isWindows) process.on("SIGHUP", this.#onHangUp);
  }

  /** The action to take after the stop. A later signal or request clears it. */
  get after(): AfterStop {
    return this.#after;
  }

  /** Stop like the first SIGINT; at once like the second one. */
  readonly request = ({ isNow }: { readonly isNow: boolean }): void => {
    this.#endAll();
    this.#begin(null);
    if (isNow) this.#abort();
  };

  /**
   * Stop like a first signal does, and start again. For an upgrade, commands run on.
   *
   * @throws JobError `unavailable` if it is stopping already
   */
  startAgain(after: Exclude<AfterStop, "nothing">): void {
    if (this.#isStopping) {
      throw new JobError("unavailable", `Cannot ${after} the daemon: it is stopping`);
    }
    this.#after = after;
    this.#begin(null);
  }

  /** Resolves when a signal has stopped the daemon. @param stopping called when the stop begins */
  async stopped(
    daemon: StoppableDaemon,
    reloader: Reloader,
    stopping: (after: AfterStop, options: { readonly keepsCommands: boolean }) => void,
  ): Promise<void> {
    this.#daemon = daemon;
    this.#reloader = reloader;
    if (this.#isHungUp) this.#reload(reloader);
    const first = await Promise.race([this.#first.promise, daemon.lost]);
    const lost = first instanceof Error ? first : null;
    this.#limitStop();
    const keepsCommands = lost === null &&
      await this.#keepsCommands(first as NodeJS.Signals | null);
    stopping(this.#after, { keepsCommands });
    daemon.heartbeat.stop("the daemon is stopping");
    try {
      this.#isDraining = true;
      // The manager drains first, while clients can still call.
      const stopping = daemon.manager.stop({ keepsCommands }).finally(() =>
        daemon.gateway.stop({ keepsSockets: this.#after !== "nothing" })
      );
      // Other daemons have taken over a lost daemon's instances.
      if (this.#isAborting || lost) daemon.manager.stopControl.abort();
      await stopping;
    } catch (error) {
      throw toJobError(error, "Cannot stop");
    }
    if (lost) throw lost;
    this.#options.logger.info("Stopped");
    if (this.#after === "nothing") this.#limit.stopped();
    else this.#limit.cancel();
  }

  /** Handle signals no more. A stop that ends the process keeps its limit. */
  close(): void {
    if (!this.#isStopping || this.#after !== "nothing") this.#limit.cancel();
    for (const signal of this.#signals) process.off(signal, this.#onStop);
    process.off("SIGHUP", this.#onHangUp);
  }

  async #keepsCommands(signal: NodeJS.Signals | null): Promise<boolean> {
    const keeps = this.#after === "upgrade" ||
      signal === "SIGTERM" && await this.#isToBeContinued();
    // Another signal may have come meanwhile.
    return keeps && !this.#endsAll;
  }

  async #isToBeContinued(): Promise<boolean> {
    const { onStop, unitFate } = this.#options;
    if (onStop === "drain") return false;
    const fate = await unitFate();
    return fate === null ? onStop === "keep" : fate === "restart";
  }

  readonly #onStop = (signal: NodeJS.Signals) => {
    const { logger } = this.#options;
    if (!this.#isStopping) {
      const { count = 0, limitMs = 0 } = this.#daemon?.manager.serviceFacts().drain(false) ?? {};
      logger.info(`${signal}: waiting for running jobs to end; send it again to abort them`, {
        running: count,
        ...(count === 0 ? {} : { limit: formatDuration(limitMs) }),
      });
      return this.#begin(signal);
    }
    const isAgain = this.#after !== "nothing";
    this.#endAll();
    if (isAgain) {
      return logger.info(`${signal}: not starting again; send it once more to abort running jobs`);
    }
    logger.warn(`${signal} again: aborting the running jobs`);
    this.#abort();
  };

  #begin(signal: NodeJS.Signals | null): void {
    this.#isStopping = true;
    this.#limitStop();
    this.#first.resolve(signal);
  }

  /** From now on the daemon has its drain, and a little more. */
  #limitStop(): void {
    const facts = this.#daemon?.manager.serviceFacts().drain(false);
    this.#limit.begin(Math.max(this.#options.drainMs, facts?.limitMs ?? 0));
  }

  #endAll(): void {
    this.#after = "nothing";
    this.#endsAll = true;
    if (!this.#isDraining) return;
    // Callers await the promise of the first call.
    this.#daemon!.manager.stop().catch(() => {});
    this.#limitStop();
  }

  #abort(): void {
    this.#isAborting = true;
    this.#limit.hurry();
    this.#daemon?.manager.stopControl.abort();
  }

  readonly #onHangUp = () => {
    this.#isHungUp = true;
    if (!this.#isStopping && this.#reloader) this.#reload(this.#reloader);
  };

  #reload(reloader: Reloader): void {
    this.#options.logger.info("Requested a reload", { by: "SIGHUP" });
    // The problem has been logged already.
    reloader.reload().catch(() => {});
  }
}

/**
 * Log an uncaught error, such as from a promise left behind by an inline job, and end the daemon,
 * because its state is unknown. Returns a function that stops this.
 */
export function endOnUncaught(logger: Logger): () => void {
  const onError = (thrown: unknown) => {
    const { name, message, stack } = encodeError(thrown);
    const error = `${name}: ${message}`;
    logger.error("The daemon is stopping because of an uncaught error", { error, stack });
    process.exit(1);
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return () => {
    process.off("uncaughtException", onError);
    process.off("unhandledRejection", onError);
  };
}
