import { describeLimits, hasLimits } from "../../core/job/limits.ts";
import type { ProcessIdentity } from "../../platform/process/process_identity.ts";
import type { NodeReport } from "../../store/store.ts";
import type { Survivors } from "../../worker/executor.ts";
import type { PartContext } from "../context/part_context.ts";
import type { Registry } from "../context/registry.ts";

/** Sources of a node's report. */
interface ReportOptions extends Pick<PartContext, "registry" | "tzVersion"> {
  readonly version: string;
  readonly tags: readonly string[];
  readonly process: ProcessIdentity;
  /** Survivors of the executor; absent if nothing outlives this process. */
  readonly survivors: Pick<Survivors, "place"> | undefined;
  readonly workers: { readonly count: number; readonly busy: number };
  readonly life: { readonly startedAt: number; readonly isDraining: boolean };
}

/** Returns a function that reports on this node; it reads the jobs again after a change. */
export function createReport(options: ReportOptions): () => NodeReport {
  const { registry, version, tzVersion, survivors, process: { host, pid, process } } = options;
  const tags = [...options.tags].sort();
  let read: Pick<NodeReport, "kinds" | "idle" | "limits"> = { kinds: [], idle: [], limits: {} };
  let readOf: ReadonlySet<string> | null = null;
  return () => {
    if (readOf !== registry.kinds) {
      const served = readOf = registry.kinds;
      const idle = registry.list().map(({ kind }) => kind).filter((kind) => !served.has(kind));
      read = { kinds: [...served].sort(), idle, limits: limitsOf(registry) };
    }
    const { count: workers, busy } = options.workers;
    const { startedAt, isDraining } = options.life;
    return {
      version,
      host,
      pid,
      process,
      tags,
      tzVersion,
      ...(survivors === undefined ? {} : { survivors: survivors.place }),
      ...read,
      workers,
      busy,
      startedAt,
      isDraining,
    };
  };
}

// Without pools: they limit only this node, and may differ between nodes.
function limitsOf(registry: Registry): Record<string, string> {
  const limits: [string, string][] = [];
  for (const { kind, options } of registry.list()) {
    if (!hasLimits(options) && options.unique === null && options.waitingMax === null) continue;
    const texts = describeLimits({ ...options, pool: null });
    limits.push([kind, texts.join("; ")]);
  }
  return Object.fromEntries(limits);
}
