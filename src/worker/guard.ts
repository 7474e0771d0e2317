import { Worker } from "node:worker_threads";
import { guardDescriptor } from "./protocol.ts";

/** The worker's side of its guard thread. */
export interface Guard {
  /** The process group of a running command, which dies with the worker; null for none. */
  setCommandGroup(group: number | null): void;
}

/**
 * Start the guard thread; resolves once it watches.
 *
 * @throws whatever kept the thread from starting: job code must not run without it
 */
export async function startGuard(): Promise<Guard> {
  const thread = new Worker(threadUrl(), { workerData: { descriptor: guardDescriptor() } });
  await new Promise<void>((resolve, reject) => {
    thread.once("message", () => resolve());
    thread.once("error", reject);
  });
  thread.on("error", () => process.exit(1));
  thread.unref();
  return { setCommandGroup: (group) => thread.postMessage(group) };
}

function threadUrl(): URL {
  // From source it is a .ts file; packed, and beside the main module of the compiled file, a .js file.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./guard_thread.${extension}`, import.meta.url);
}
