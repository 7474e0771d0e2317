import type { Clock } from "../../platform/clock.ts";
import {
  type Family,
  findFamily,
  killFamilyInTurns,
  killGroup,
} from "../../platform/process/descendants.ts";
import { handlesSignal } from "../../platform/process/process_control.ts";

/** How long to wait until killed processes are gone. */
const GONE_MS_MAX = 1_000;
const CHECK_EVERY_MS = 5;

/** The processes of a worker: its own group, that of its command, and those that left both. */
export class WorkerFamily {
  /** The process group of its running command. */
  commandGroup: number | null = null;
  readonly pid: number;
  readonly #clock: Clock;
  readonly #marker: string;
  readonly #sessions: Set<number>;
  /** True once only the worker itself is to end: what its command started keeps running. */
  isLeft = false;
  #hasEnded = false;

  constructor(clock: Clock, pid: number, marker: string) {
    this.#clock = clock;
    this.pid = pid;
    this.#marker = marker;
    this.#sessions = new Set([pid]);
  }

  get family(): Family {
    const sessions = this.#sessions;
    if (this.commandGroup !== null) sessions.add(this.commandGroup);
    return { marker: this.#marker, sessions };
  }

  /**
   * Accept the process group that the worker reports for its command, unless it is wrong: it
   * receives the daemon's signals.
   */
  setCommandGroup(group: number | null): void {
    const isOurs = group === null || process.platform !== "linux" ||
      findFamily(this.family, this.pid, [group]).length > 0;
    if (isOurs) this.commandGroup = group;
  }

  /**
   * SIGTERM: signal the command's group, or the worker's own if no command runs. SIGKILL: kill the
   * whole family.
   */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (signal === "SIGTERM") {
      // The worker has to live to report how its command ended.
      if (this.commandGroup !== null) return killGroup(this.commandGroup, signal);
      if (handlesSignal(this.pid, signal)) return killGroup(this.pid, signal);
      // Without a handler SIGTERM ends the worker at once, so end its family first.
    }
    if (this.isLeft) {
      if (!this.#hasEnded) killGroup(this.pid, signal);
      return;
    }
    killGroup(this.pid, "SIGSTOP");
    void this.#killAll(signal);
  }

  // Orphans first: only their parent identifies them, and it starts no other processes meanwhile.
  async #killAll(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await killFamilyInTurns(this.family, this.pid, this.#clock);
    // Its number may belong to another group by now.
    if (this.#hasEnded) return;
    killGroup(this.pid, signal);
    if (signal === "SIGTERM") killGroup(this.pid, "SIGCONT");
  }

  /** The worker has ended: kill the processes that it left, and call back once they are gone. */
  whenGone(callback: () => void): void {
    this.#hasEnded = true;
    if (this.isLeft) return this.#clock.defer(callback);
    const { family } = this;
    const startMs = this.#clock.now().monotonicMs;
    const check = async () => {
      const killed = await killFamilyInTurns(family, this.pid, this.#clock);
      const isLate = this.#clock.now().monotonicMs - startMs >= GONE_MS_MAX;
      if (isLate || killed === 0) return callback();
      this.#clock.timer(CHECK_EVERY_MS, () => void check());
    };
    void check();
  }
}
