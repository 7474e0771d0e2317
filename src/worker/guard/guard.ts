import { Worker } from "node:worker_threads";
import { killFamily, killGroup, MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { threadUrl } from "../../platform/process/process.ts";
import { guardDescriptor } from "../protocol.ts";

/** Value of the guard's cell while no command runs. */
const NO_COMMAND = 0;
/** Value of the cell while a command is being started and its group is not known yet. */
export const COMMAND_STARTING = -1;

/** Index of the cell that is set when the guard acts. */
export const KILLING_INDEX = 1;

/** The worker's side of its guard thread. */
export interface Guard {
  /** True while it kills everything: how a command ends now is not its result. */
  isKilling(): boolean;
  /** A command is about to be started: a guard that acts now waits for its process group. */
  expectCommand(): void;
  /** The process group of a running command, which dies with the worker; null for none. */
  setCommandGroup(group: number | null): void;
  /**
   * Kill the command's group and our own at once, as the guard does. Code that ends this process
   * while a command may run must use this: an ordinary exit would end the guard before it acts.
   */
  killAll(): never;
}

/**
 * Start the guard thread; resolves once it watches.
 *
 * @throws any error that prevented the thread from starting: job code must not run without it
 */
export async function startGuard(): Promise<Guard> {
  // Shared memory instead of a message: the guard must know the group at the moment that it acts.
  const marker = process.env[MARKER_VARIABLE] ?? "";
  const cell = new Int32Array(new SharedArrayBuffer(8));
  const thread = new Worker(threadUrl(import.meta.url, "guard_thread"), {
    workerData: { descriptor: guardDescriptor(), cell, marker },
  });
  await new Promise<void>((resolve, reject) => {
    thread.once("message", () => resolve());
    thread.once("error", reject);
  });
  const killAll = (): never => {
    killWorker(Atomics.load(cell, 0), marker);
    process.exit(1);
  };
  thread.on("error", killAll);
  thread.unref();
  const set = (value: number) => {
    Atomics.store(cell, 0, value);
    Atomics.notify(cell, 0);
  };
  return {
    isKilling: () => Atomics.load(cell, KILLING_INDEX) !== 0,
    expectCommand: () => set(COMMAND_STARTING),
    setCommandGroup: (group) => set(group ?? NO_COMMAND),
    killAll,
  };
}

/** Kill this worker with all its processes. @param group that of its command; 0 or less for none */
export function killWorker(group: number, marker: string): void {
  if (group > 0) killGroup(group, "SIGKILL");
  const sessions = new Set(group > 0 ? [process.pid, group] : [process.pid]);
  killFamily({ marker, sessions }, process.pid);
  killGroup(process.pid, "SIGKILL");
}
