import { Worker } from "node:worker_threads";
import { killFamily, killGroup, MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { threadUrl } from "../../platform/system/runtime.ts";
import { guardDescriptor } from "../protocol.ts";

/** The worker's side of its guard thread. */
export interface Guard {
  /** True while it kills everything: the run's end is then not its result. */
  isKilling(): boolean;
  /** Kill our processes and this one at once, as the guard does. */
  killAll(): never;
}

/**
 * Start the guard thread; resolves once it watches.
 *
 * @throws any error that prevented the thread from starting: job code must not run without it
 */
export async function startGuard(): Promise<Guard> {
  const marker = process.env[MARKER_VARIABLE] ?? "";
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(threadUrl(import.meta.url, "guard_thread"), {
    workerData: { descriptor: guardDescriptor(), cell, marker },
  });
  await new Promise<void>((resolve, reject) => {
    thread.once("message", () => resolve());
    thread.once("error", reject);
  });
  const killAll = (): never => {
    killWorker(marker);
    process.exit(1);
  };
  thread.on("error", killAll);
  thread.unref();
  return { isKilling: () => Atomics.load(cell, 0) !== 0, killAll };
}

/** Kill this worker with all its processes. */
export function killWorker(marker: string): void {
  killFamily({ marker, sessions: new Set([process.pid]) }, process.pid);
  killGroup(process.pid, "SIGKILL");
}
