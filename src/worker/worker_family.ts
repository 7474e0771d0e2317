import type { Clock } from "../platform/clock.ts";
import { type Family, findFamily, killFamily } from "../platform/descendants.ts";
import { killGroup } from "./groups.ts";

/** How long what was killed may take to be gone before nobody waits for it any more. */
const GONE_MS_MAX = 1_000;
const LOOK_EVERY_MS = 5;

/** The processes of a worker, as the daemon ends them: its own group, its command's, and whatever left both. */
export class WorkerFamily {
  /** The process group of its running command. */
  commandGroup: number | null = null;
  readonly pid: number;
  readonly #clock: Clock;
  readonly #marker: string;
  readonly #sessions: Set<number>;

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

  /** Take what the worker says is the group of its command, unless it is not: it gets the daemon's signals. */
  setCommandGroup(group: number | null): void {
    const isOurs = group === null || process.platform !== "linux" ||
      findFamily(this.family, this.pid, [group]).length > 0;
    if (isOurs) this.commandGroup = group;
  }

  /** Signal the command's group and, unless only the command is meant, the worker's own; SIGKILL is for all that there is. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (signal === "SIGTERM") {
      // The worker has to live to tell how its command ended.
      return killGroup(this.commandGroup ?? this.pid, signal);
    }
    // First what was left without a parent could be told by nothing else than its parent, which begins no other meanwhile.
    killGroup(this.pid, "SIGSTOP");
    killFamily(this.family, this.pid);
    killGroup(this.pid, "SIGKILL");
  }

  /** The worker has ended: kill what it left, and call back once nothing is left. */
  whenGone(callback: () => void): void {
    const { family } = this;
    const startMs = this.#clock.now().monotonicMs;
    const look = () => {
      killFamily(family, this.pid);
      const isLate = this.#clock.now().monotonicMs - startMs >= GONE_MS_MAX;
      if (isLate || findFamily(family, this.pid).length === 0) return callback();
      this.#clock.timer(LOOK_EVERY_MS, look);
    };
    look();
  }
}
