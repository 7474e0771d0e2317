import process from "node:process";
import { toJobError } from "../core/errors.ts";
import type { Manager } from "../manager/manager.ts";
import type { Logger } from "../platform/logger.ts";
import type { Reloader } from "./reloader.ts";

/** The parts of a running daemon that a stop ends. */
export interface StoppableDaemon {
  readonly manager: Pick<Manager, "stop" | "abortRunning">;
  readonly gateway: { stop(): Promise<void> };
  readonly heartbeat: { stop(reason: string): void };
  /** Resolves with the reason when it can no longer be a node of its store and must stop. */
  readonly lost: Promise<Error>;
}

/**
 * Handles signals from before the start to the end: the first SIGTERM or SIGINT drains, the next
 * one aborts, SIGHUP reloads. On Windows, Ctrl-C is a SIGINT, Ctrl-Break a SIGBREAK, and a closed
 * window a SIGHUP, after which the system ends the process within seconds. Callers can stop the
 * daemon the same way.
 */
export class StopSignals {
  readonly #logger: Logger;
  readonly #signals: readonly NodeJS.Signals[];
  readonly #first = Promise.withResolvers<void>();
  #daemon: StoppableDaemon | null = null;
  #reloader: Reloader | null = null;
  #isHungUp = false;
  #isStopping = false;
  #isAborting = false;
  /** True if the daemon stops to be started again. A later signal ends that. */
  isRestart = false;

  constructor(
    { logger, isWindows }: { readonly logger: Logger; readonly isWindows: boolean },
  ) {
    this.#logger = logger;
    this.#signals = isWindows ? ["SIGTERM", "SIGINT", "SIGBREAK", "SIGHUP"] : ["SIGTERM", "SIGINT"];
    for (const signal of this.#signals) process.on(signal, this.#onStop);
    if (!isWindows) process.on("SIGHUP", this.#onHangUp);
  }

  /** Stop as the first signal does; at once as the second one does. */
  readonly request = ({ isNow }: { readonly isNow: boolean }): void => {
    if (!this.#isStopping) this.#begin();
    this.isRestart = false;
    if (isNow) this.#abort();
  };

  /** Stop as the first signal does, to be started again. */
  restart(): void {
    if (this.#isStopping) return;
    this.isRestart = true;
    this.#begin();
  }

  /** Resolves when a signal came, after a call of `stopping`, and the daemon has stopped. */
  async stopped(
    daemon: StoppableDaemon,
    reloader: Reloader,
    stopping: () => void,
  ): Promise<void> {
    this.#daemon = daemon;
    this.#reloader = reloader;
    if (this.#isHungUp) this.#reload(reloader);
    const lost = await Promise.race([this.#first.promise, daemon.lost]);
    stopping();
    daemon.heartbeat.stop("the daemon is stopping");
    try {
      // The manager drains first, while clients can still call.
      const stopping = daemon.manager.stop().finally(() => daemon.gateway.stop());
      // Other daemons have taken over the instances of one that was lost.
      if (this.#isAborting || lost) daemon.manager.abortRunning();
      await stopping;
    } catch (error) {
      throw toJobError(error, "Cannot stop");
    }
    if (lost) throw lost;
    this.#logger.info("Stopped");
  }

  close(): void {
    for (const signal of this.#signals) process.off(signal, this.#onStop);
    process.off("SIGHUP", this.#onHangUp);
  }

  readonly #onStop = (signal: NodeJS.Signals) => {
    if (!this.#isStopping) {
      this.#logger.info(`${signal}: waiting for running jobs to end; send it again to abort them`);
      return this.#begin();
    }
    if (this.isRestart) {
      this.isRestart = false;
      this.#logger.info(`${signal}: not starting again; send it once more to abort running jobs`);
      return;
    }
    this.#logger.warn(`${signal} again: aborting the running jobs`);
    this.#abort();
  };

  #begin(): void {
    this.#isStopping = true;
    this.#first.resolve();
  }

  #abort(): void {
    this.#isAborting = true;
    this.#daemon?.manager.abortRunning();
  }

  readonly #onHangUp = () => {
    this.#isHungUp = true;
    if (!this.#isStopping && this.#reloader) this.#reload(this.#reloader);
  };

  #reload(reloader: Reloader): void {
    this.#logger.info("Requested a reload", { by: "SIGHUP" });
    // The problem has been logged already.
    reloader.reload().catch(() => {});
  }
}
