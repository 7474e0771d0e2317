import type { Clock } from "../../platform/clock.ts";
import { type Family, killFamilyInTurns, killGroup } from "../../platform/process/descendants.ts";
import { handlesSignal } from "../../platform/process/process_control.ts";

/** Longest wait until killed processes are gone. */
const GONE_MS_MAX = 1_000;
const CHECK_EVERY_MS = 5;

/** The processes of a worker: its group, and processes that left it. */
export class WorkerFamily {
  readonly pid: number;
  readonly #clock: Clock;
  readonly family: Family;
  #hasEnded = false;

  constructor(clock: Clock, pid: number, marker: string) {
    this.#clock = clock;
    this.pid = pid;
    this.family = { marker, sessions: new Set([pid]) };
  }

  /** SIGTERM: signal the worker's group. SIGKILL: kill the whole family. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    // Without a handler SIGTERM ends the worker at once, so end its family first.
    if (signal === "SIGTERM" && handlesSignal(this.pid, signal)) return killGroup(this.pid, signal);
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

  /** The worker has ended: kill its leftover processes, and call back once they are gone. */
  whenGone(callback: () => void): void {
    this.#hasEnded = true;
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
