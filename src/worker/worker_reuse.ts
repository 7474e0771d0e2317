import type { JobDefinition } from "../core/job.ts";
import type { ResultMessage } from "./protocol.ts";

/** What a worker may still serve, after what its runs left behind. */
export class WorkerReuse {
  /** The only module that it may serve, as its load changed the process. */
  exclusivePath: string | null = null;
  /** Monotonic ms at which it serves no more, as something was left open in it; null while nothing is. */
  retireAtMs: number | null = null;

  /** Note what a run of `job` said of it at its end. */
  note({ reuse, isExclusive }: ResultMessage, { source, options }: JobDefinition, nowMs: number) {
    if (isExclusive && source.type === "module") this.exclusivePath = source.path;
    if (reuse === "clean") this.retireAtMs = null;
    else this.retireAtMs ??= nowMs + options.killAfterMs;
  }

  /** Whether a job may run in it. */
  isFor({ source }: JobDefinition): boolean {
    if (source.type !== "module" || this.exclusivePath === null) return true;
    return this.exclusivePath === source.path;
  }
}
