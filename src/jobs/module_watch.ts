import { toJobError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job.ts";
import type { Clock } from "../platform/clock.ts";
import { readFileSync } from "node:fs";
import { isResourceError } from "../platform/resources.ts";
import { type ModuleFiles, readModuleFiles, stampOf } from "./module_files.ts";
import { readSignature } from "./read_signature.ts";

/** How long a look at the files of a module counts. */
const LOOK_EVERY_MS = 10;

interface Watched {
  /** Monotonic ms of the last look. */
  lookedMs: number;
  /** Null while the module cannot be read. */
  files: ModuleFiles | null;
  problem: string | null;
}

/**
 * Keeps the definitions of module jobs up to date with their files: the version that the next attempt runs and the signature that
 * its arguments are converted by. Options and schedules stay as they were loaded.
 */
export class ModuleWatch {
  readonly #clock: Clock;
  readonly #modules = new Map<string, Watched>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The definition as the files have it now; the same object while they have not changed. Never throws. */
  current(job: JobDefinition): JobDefinition {
    const { source } = job;
    if (source.type !== "module" || source.files === undefined) return job;
    const watched = this.#look(source.path);
    if (watched === null) return job;
    if (watched.problem !== null || watched.files === null) {
      return withProblem(job, watched.problem ?? `Cannot read ${source.path}`);
    }
    const { version, hashes } = watched.files;
    if (version === source.version && source.problem === undefined) return job;
    try {
      const text = readFileSync(source.path, "utf8");
      const language = source.path.endsWith("ts") ? "ts" : "js";
      const read = readSignature(text, { file: source.path, language, entry: source.entry });
      const { problem: _, ...rest } = source;
      return {
        ...job,
        // Parameters given as text stand for what the source does not tell.
        signature: read.isTyped ? read : job.signature,
        source: { ...rest, version, files: hashes },
      };
    } catch (error) {
      if (isResourceError(error)) return job;
      watched.problem = toJobError(error, `Cannot parse ${source.path}`).message;
      return withProblem(job, watched.problem);
    }
  }

  /** Null when no file can be opened now, which says nothing about this one. */
  #look(path: string): Watched | null {
    const nowMs = this.#clock.now().monotonicMs;
    let watched = this.#modules.get(path);
    if (watched === undefined) {
      watched = { lookedMs: -Infinity, files: null, problem: null };
      this.#modules.set(path, watched);
    }
    if (nowMs - watched.lookedMs < LOOK_EVERY_MS) return watched;
    watched.lookedMs = nowMs;
    if (watched.files !== null && isUnchanged(watched.files)) return watched;
    try {
      watched.files = readModuleFiles(path);
      watched.problem = null;
    } catch (error) {
      if (isResourceError(error)) {
        watched.lookedMs = -Infinity;
        return null;
      }
      watched.files = null;
      watched.problem = `Cannot load ${path}: the file is gone`;
    }
    return watched;
  }
}

function isUnchanged({ stamps }: ModuleFiles): boolean {
  for (const [path, stamp] of stamps) if (stampOf(path) !== stamp) return false;
  return true;
}

function withProblem(job: JobDefinition, problem: string): JobDefinition {
  const { source } = job;
  if (source.type !== "module" || source.problem === problem) return job;
  return { ...job, source: { ...source, problem } };
}
