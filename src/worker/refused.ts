import type { Attempt } from "./executor.ts";

/** An attempt that ended before it began, because the executor cannot take it. */
export function refuse(type: "lost" | "error", message: string): Attempt {
  return {
    outcome: Promise.resolve({ type, error: { name: "JobError", message } }),
    extend() {},
    abort() {},
  };
}
