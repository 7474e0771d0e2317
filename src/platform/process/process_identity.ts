import { Buffer } from "node:buffer";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { readSystemFile } from "../files/read_file.ts";
import { systemRandom } from "../random.ts";

/** Identifies a process among all others, also of another boot, host or container. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /**
   * Kernel boot, PID namespace, PID and start time, and a random text for the program that runs in
   * it; null if the system does not show them.
   */
  readonly process: string | null;
  /**
   * The fate of another process; "unknown" if it is stopped or of another host or container. A
   * program that this process ran before is gone.
   */
  fateOf(process: string | null): ProcessFate;
}

/** Fate of a process, as far as it is visible from here. */
export type ProcessFate = "alive" | "gone" | "unknown";

/** Position of a process's start among the fields of {@link statOf}. */
export const START_TICKS = 19;

/** Tells the program of this process from one in whose place it was executed. */
let program = drawProgram();

function drawProgram(): string {
  return Buffer.from(systemRandom.bytes(8)).toString("hex");
}

/** From now on, the earlier identity of this process is gone, as after exec. */
export function beginAnew(): void {
  program = drawProgram();
}

/** This process. */
export function thisProcess(): ProcessIdentity {
  const own = identityOf(process.pid);
  const identity = own === null ? null : `${own}/${program}`;
  return { host: hostname(), pid: process.pid, process: identity, fateOf };
}

/** The kernel's id of this boot; null if the system does not provide one. */
export function bootId(): string | null {
  return readSystemFile("/proc/sys/kernel/random/boot_id")?.trim() || null;
}

/** A number alone says nothing: it is used again, and means another process in each container. */
function identityOf(pid: number): string | null {
  try {
    const boot = bootId();
    const stat = statOf(pid);
    if (boot === null || stat === null) return null;
    return [boot, readlinkSync("/proc/self/ns/pid"), pid, stat[START_TICKS]].join("/");
  } catch {
    return null;
  }
}

function fateOf(identity: string | null): ProcessFate {
  const own = identityOf(process.pid);
  if (identity === null || own === null) return "unknown";
  const [boot, space, pid, startTicks, itsProgram] = identity.split("/");
  const [ownBoot, ownSpace] = own.split("/");
  if (boot !== ownBoot || space !== ownSpace || !/^\d+$/.test(pid ?? "")) return "unknown";
  const stat = statOf(Number(pid));
  // /proc may hide other users' processes: the kernel shows whether there is one.
  if (stat === null) return exists(Number(pid)) ? "unknown" : "gone";
  const [state = ""] = stat;
  if (stat[START_TICKS] !== startTicks || hasEnded(state)) return "gone";
  if (Number(pid) === process.pid && itsProgram !== program) return "gone";
  // One that is stopped may never continue.
  return isStopped(state) ? "unknown" : "alive";
}

/** State of a process, as far as this one can know. */
export type LifeOfProcess = "runs" | "stopped" | "gone";

/** True of a process that has ended: nobody has read its exit code yet. */
function hasEnded(state: string): boolean {
  return /[ZX]/.test(state);
}

/** State of a process: running, stopped by a signal, or gone. */
export function lifeOf(pid: number): LifeOfProcess {
  const [state = ""] = statOf(pid) ?? [];
  if (state === "") return exists(pid) ? "runs" : "gone";
  return hasEnded(state) ? "gone" : isStopped(state) ? "stopped" : "runs";
}

function isStopped(state: string): boolean {
  return /[Tt]/.test(state);
}

/** Fields of a process in /proc after the name of its program; null if it is gone. */
export function statOf(pid: number): readonly string[] | null {
  const text = readSystemFile(`/proc/${pid}/stat`);
  // The name may contain blanks and parentheses.
  return text === null ? null : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
