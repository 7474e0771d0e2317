import type { JobDefinition } from "../../core/job/job.ts";
import type { ToWorker, WireJob } from "../protocol.ts";

/** The jobs that one worker was told of. */
export class KnownJobs {
  readonly #refs = new Map<JobDefinition, number>();
  /** Hash of each file of the modules that it loaded, by path. */
  readonly #files = new Map<string, string>();

  /** Whether this definition was run in it before. */
  has(job: JobDefinition): boolean {
    return this.#refs.has(job);
  }

  /** Whether none of the job's files is in the worker's memory as it was before a change. */
  isUpToDate(job: JobDefinition): boolean {
    if (job.source.type !== "module" || this.has(job)) return true;
    return filesOf(job.source).every(([path, hash]) => (this.#files.get(path) ?? hash) === hash);
  }

  /** The number that names a job in messages; it is told of one that is new to it. */
  refOf(job: JobDefinition, tell: (message: ToWorker) => void): number {
    const known = this.#refs.get(job);
    if (known !== undefined) return known;
    const ref = this.#refs.size + 1;
    this.#refs.set(job, ref);
    const { kind, signature } = job;
    const source = job.source as WireJob["source"];
    if (source.type === "module") {
      for (const [path, hash] of filesOf(source)) this.#files.set(path, hash);
    }
    tell({ type: "job", ref, job: { kind, source, signature } });
    return ref;
  }
}

type ModuleSource = Extract<WireJob["source"], { readonly type: "module" }>;

function filesOf({ files, path, version }: ModuleSource): (readonly [string, string])[] {
  return files ? [...files] : [[path, version]];
}
