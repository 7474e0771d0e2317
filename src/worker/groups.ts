import { readdirSync, readFileSync } from "node:fs";
import { errorCode } from "../core/errors.ts";

/** Send a signal to a whole process group; a group that is gone is no error. */
export function killGroup(group: number, signal: "SIGTERM" | "SIGKILL"): void {
  // Group 0 is our own and 1 would be everything.
  if (!Number.isInteger(group) || group <= 1) return;
  try {
    process.kill(-group, signal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

/** More new processes than this are looked for in the list of all. */
const RANGE_MAX = 500;

/**
 * Finds the processes that job code left in its worker's own group, at a cost that grows with the number of processes begun
 * since the last look and not with those of the host. Linux only; elsewhere nothing is found.
 */
export class GroupSweeper {
  readonly #group: number;
  #lastPid: number | null = lastPid();

  constructor(group: number) {
    this.#group = group;
  }

  /** Kill what was begun since the last look, and tell how many. */
  sweep(): number {
    const from = this.#lastPid;
    const to = lastPid();
    if (from === null || to === null || from === to) return 0;
    this.#lastPid = to;
    let killed = 0;
    for (const pid of candidates(from, to)) {
      if (pid === this.#group || groupOf(pid) !== this.#group) continue;
      try {
        process.kill(pid, "SIGKILL");
        killed += 1;
      } catch {
        // It ended by itself.
      }
    }
    return killed;
  }
}

function candidates(from: number, to: number): number[] {
  if (to > from && to - from <= RANGE_MAX) {
    return Array.from({ length: to - from }, (_, index) => from + 1 + index);
  }
  return readdirSync("/proc").map(Number).filter((pid) => pid > 1);
}

function lastPid(): number | null {
  try {
    return Number(readFileSync("/proc/sys/kernel/ns_last_pid", "latin1"));
  } catch {
    return null;
  }
}

/** Group of a process; null when it is gone or only a thread: a signal to one would end its whole process. */
function groupOf(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    if (Number(/^Tgid:\t(\d+)/m.exec(status)?.[1]) !== pid) return null;
    return Number(/^NSpgid:\t(\d+)/m.exec(status)?.[1]);
  } catch {
    return null;
  }
}
