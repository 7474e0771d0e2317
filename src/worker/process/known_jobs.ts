import type { JobDefinition } from "../../core/job/job.ts";
import type { ResultMessage, ToWorker, WireJob } from "../protocol.ts";

/** The jobs that one worker has loaded, and which it may still run after earlier leftovers. */
export class KnownJobs {
  readonly #refs = new Map<JobDefinition, number>();
  /** Hash of each file of the modules that it loaded, by path. */
  readonly #files = new Map<string, string>();
  #exclusivePath: string | null = null;
  #endMs = Infinity;

  /** Monotonic ms after which it runs nothing more, because a run left something open in it. */
  get endMs(): number {
    return this.#endMs;
  }

  /** True if this definition has run in it before. */
  has(job: JobDefinition): boolean {
    return this.#refs.has(job);
  }

  /** True unless it has loaded an outdated file of the job. */
  isUpToDate(job: JobDefinition): boolean {
    if (job.source.type !== "module" || this.has(job)) return true;
    return filesOf(job.source).every(([path, hash]) => (this.#files.get(path) ?? hash) === hash);
  }

  /** True unless loading another module has changed the process: it then only runs that one. */
  isFor({ source }: JobDefinition): boolean {
    if (source.type !== "module" || this.#exclusivePath === null) return true;
    return this.#exclusivePath === source.path;
  }

  /** The number of a job in messages. Sends the worker a new job first. */
  refOf(job: JobDefinition, send: (message: ToWorker) => void): number {
    const known = this.#refs.get(job);
    if (known !== undefined) return known;
    const ref = this.#refs.size + 1;
    this.#refs.set(job, ref);
    const { kind, signature } = job;
    const source = job.source as WireJob["source"];
    for (const [path, hash] of filesOf(source)) this.#files.set(path, hash);
    send({ type: "job", ref, job: { kind, source, signature } });
    return ref;
  }

  /** Note the leftovers of a run of a job. */
  noteEnd(
    { reuse, isExclusive }: ResultMessage,
    { source, options }: JobDefinition,
    nowMs: number,
  ) {
    if (isExclusive && source.type === "module") this.#exclusivePath = source.path;
    if (reuse === "clean") this.#endMs = Infinity;
    else this.#endMs = Math.min(this.#endMs, nowMs + options.killAfterMs);
  }
}

function filesOf({ files, path, version }: WireJob["source"]): (readonly [string, string])[] {
  return files ? [...files] : [[path, version]];
}
