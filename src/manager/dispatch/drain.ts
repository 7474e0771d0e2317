import { type Clock, sleep, type Timer } from "../../platform/clock.ts";
import type { ClaimKey } from "../../store/store.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import type { DrainFacts, DrainRequest } from "../api/daemon.ts";

/** Interval between checks whether commands can be left. */
const LOOK_EVERY_MS = 20;

/** Owner of the drained attempts. */
interface DrainHost {
  readonly clock: Clock;
  readonly running: () => readonly RunningAttempt[];
  readonly abort: (claims: readonly ClaimKey[]) => void;
  /** Resolves when only commands to be left are unsettled. */
  readonly quiet: () => Promise<void>;
  /** Leaves the commands that can be left. @returns their number */
  readonly leave: () => Promise<number>;
}

/** Waits until attempts have ended, and aborts slow ones. */
export class Drain {
  /** True while commands are to be left. */
  keepsCommands: boolean;
  readonly #request: DrainRequest;
  readonly #host: DrainHost;
  readonly #timers: Timer[] = [];
  #beganMs = 0;

  constructor(request: DrainRequest, host: DrainHost) {
    this.#request = request;
    this.#host = host;
    this.keepsCommands = request.keepsCommands ?? false;
  }

  /** @returns number of attempts left */
  async run(): Promise<number> {
    const { running, quiet, leave, clock } = this.#host;
    this.#beganMs = clock.now().monotonicMs;
    this.#limit(running().filter((each) => !this.keepsCommands || !isCommand(each)));
    await quiet();
    await this.#whenRestCanBeLeft();
    const left = this.keepsCommands ? await leave() : 0;
    this.endCommands();
    await quiet();
    for (const timer of this.#timers) timer.cancel();
    return left;
  }

  /**
   * Wait for commands that cannot be left yet. Most can be left once their supervisor has started;
   * others have the rest of their time to end. Leaving ends leases, so it comes last.
   */
  async #whenRestCanBeLeft(): Promise<void> {
    const { running, clock } = this.#host;
    const rest = () => running().filter(({ attempt }) => !attempt?.canLeave);
    this.#limit(rest());
    while (this.keepsCommands && rest().length > 0) await sleep(clock, LOOK_EVERY_MS);
  }

  /** End commands too: their time begins now. */
  endCommands(): void {
    if (!this.keepsCommands) return;
    this.keepsCommands = false;
    this.#beganMs = this.#host.clock.now().monotonicMs;
    this.#limit(this.#host.running().filter(isCommand));
  }

  #limit(attempts: readonly RunningAttempt[]): void {
    const { drainMs, isForAll = false } = this.#request;
    const { clock, abort } = this.#host;
    const byDrainMs = Map.groupBy(attempts, ({ job }) => {
      return (isForAll ? null : job?.options.drainMs) ?? drainMs;
    });
    const sinceMs = clock.now().monotonicMs - this.#beganMs;
    for (const [ms, those] of byDrainMs) {
      const claims = those.map(({ instance }) => instance);
      this.#timers.push(clock.timer(Math.max(0, ms - sinceMs), () => abort(claims)));
    }
  }
}

/** The work that a drain of these attempts would wait for. */
export function drainFacts(
  attempts: readonly RunningAttempt[],
  { drainMs, keepsCommands = false }: DrainRequest,
): DrainFacts {
  const those = attempts.filter((each) => !keepsCommands || !isCommand(each));
  const limits = those.map(({ job }) =>
    job === null ? drainMs : (job.options.drainMs ?? drainMs) + job.options.killAfterMs
  );
  return { count: those.length, limitMs: Math.max(drainMs, ...limits) };
}

/** True if an attempt can outlive the daemon. */
export function isCommand({ job }: RunningAttempt): boolean {
  return job?.source.type === "command";
}
