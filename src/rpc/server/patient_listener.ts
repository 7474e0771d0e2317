import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { TcpListener } from "./listeners.ts";

/** Interval between tries of an address that cannot be opened. */
const RETRY_MS = 3_000;

/** Settings for starting a daemon's TCP listeners. */
export interface ListenerStart {
  /** A socket that already listens from before this start; null to open one. */
  readonly descriptor: number | null;
  /** True if the daemon has worked before: then no address ends it. */
  readonly hasWorked: boolean;
}

/** The first start of a daemon, without sockets from before. */
export const FIRST_START: ListenerStart = { descriptor: null, hasWorked: false };

/** The dependencies of a {@link PatientListener}. */
export interface PatientListenerOptions {
  /** Opens the listener, or takes over a socket. @throws JobError */
  readonly listen: (descriptor: number | null) => Promise<TcpListener>;
  /** Called when it listens or stops, once {@link PatientListener.start} has returned. */
  readonly changed: () => void;
  /** True if another port will do: a taken address then means that none is free. */
  readonly isAnyPort: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A listener on TCP that waits for its address: while another process has it, the daemon works
 * without, so that nobody on this machine can stop its schedules by taking a port.
 */
export class PatientListener {
  readonly #options: PatientListenerOptions;
  #listener: TcpListener | null = null;
  #problem: JobError | null = null;
  #retry: Timer | null = null;
  #isStopped = false;

  constructor(options: PatientListenerOptions) {
    this.#options = options;
  }

  /** Null while it cannot listen. */
  get listener(): TcpListener | null {
    return this.#listener;
  }

  /** Why it cannot listen at the moment; null if it listens. */
  get problem(): JobError | null {
    return this.#problem;
  }

  /**
   * Listen now, or as soon as the address is free.
   *
   * @throws JobError for an address that waiting does not help, unless the daemon has worked before
   */
  async start({ descriptor, hasWorked }: ListenerStart): Promise<void> {
    const error = await this.#try(descriptor);
    if (error === null) return;
    const isTaken = error.code === "conflict" && !this.#options.isAnyPort;
    if (!isTaken && !hasWorked) throw error;
    this.#refused(error);
  }

  /** Stop accepting, and trying. */
  stop(): void {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#listener?.close();
    this.#listener = null;
  }

  async #try(descriptor: number | null): Promise<JobError | null> {
    try {
      const listener = await this.#options.listen(descriptor);
      if (this.#isStopped) listener.close();
      else this.#listener = listener;
      this.#problem = null;
      return null;
    } catch (error) {
      return toJobError(error, "Cannot listen");
    }
  }

  #refused(error: JobError): void {
    const { clock, logger } = this.#options;
    if (this.#problem?.message !== error.message) {
      const text = `${error.message}. Jobs run; the daemon tries again every ${RETRY_MS / 1_000} s`;
      logger.warn(text, { hint: error.hint });
    }
    this.#problem = error;
    this.#retry = clock.timer(RETRY_MS, () => void this.#again(), { unref: true });
  }

  async #again(): Promise<void> {
    const before = this.#problem;
    const error = await this.#try(null);
    if (this.#isStopped) return;
    if (error !== null) this.#refused(error);
    if (error?.message !== before?.message) this.#options.changed();
  }
}
