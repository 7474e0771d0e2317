import type { JobDefinition } from "../../core/job/job.ts";
import type { ResultMessage } from "../protocol.ts";

/** What a worker may still serve, after what its runs left behind. */
export class WorkerReuse {
  #exclusivePath: string | null = null;
  #endMs = Infinity;

  /** Monotonic ms at which it serves no more, as something was left open in it. */
  get endMs(): number {
    return this.#endMs;
  }

  /** Note what a run of a job said of it at its end. */
  note({ reuse, isExclusive }: ResultMessage, { source, options }: JobDefinition, nowMs: number) {
    if (isExclusive && source.type === "module") this.#exclusivePath = source.path;
    if (reuse === "clean") this.#endMs = Infinity;
    else this.#endMs = Math.min(this.#endMs, nowMs + options.killAfterMs);
  }

  /** Whether a job may run in it: the load of a module may have changed it, and then it serves that alone. */
  isFor({ source }: JobDefinition): boolean {
    if (source.type !== "module" || this.#exclusivePath === null) return true;
    return this.#exclusivePath === source.path;
  }
}
