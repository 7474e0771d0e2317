import { toJobError } from "../../core/errors.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { Clock } from "../../platform/clock.ts";
import { isResourceError } from "../../platform/process/resources.ts";
import { type ModuleFiles, readModuleFiles, stampOf } from "./module_files.ts";
import { typeReader } from "../types/lazy_reader.ts";
import { readSourceFile, SOURCE_LENGTH_MAX } from "../types/read_source.ts";

/** Validity of a check of a module's files. */
const LOOK_EVERY_MS = 10;
/**
 * If a check takes longer than a moment, wait this many times as long before the next: the owner
 * can change a module very often, while all schedules wait.
 */
const REST_FACTOR = 20;
const MOMENT_MS = 5;

interface Watched {
  /** Monotonic ms until which the last check is valid. */
  countsUntilMs: number;
  /** Null while the module cannot be read. */
  files: ModuleFiles | null;
  problem: string | null;
}

/**
 * Keeps the definitions of module jobs up to date with their files: the next attempt's version, and
 * the signature that converts its arguments. Options and schedules stay as loaded.
 */
export class ModuleWatch {
  readonly #clock: Clock;
  readonly #modules = new Map<string, Watched>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The definition by the files now; the same object while they are unchanged. Never throws. */
  current(job: JobDefinition): JobDefinition {
    const { source } = job;
    if (source.type !== "module" || source.files === undefined) return job;
    const beganMs = this.#clock.now().monotonicMs;
    const watched = this.#look(source.path, beganMs);
    if (watched === null) return job;
    try {
      return this.#refreshed(job, source, watched);
    } finally {
      const tookMs = this.#clock.now().monotonicMs - beganMs;
      if (tookMs > MOMENT_MS) watched.countsUntilMs = beganMs + tookMs * (1 + REST_FACTOR);
    }
  }

  #refreshed(
    job: JobDefinition,
    source: JobDefinition["source"] & { readonly type: "module" },
    watched: Watched,
  ): JobDefinition {
    if (watched.problem !== null || watched.files === null) {
      return withProblem(job, watched.problem ?? `Cannot read ${source.path}`);
    }
    const { version, hashes } = watched.files;
    if (version === source.version && source.problem === undefined) return job;
    const reader = typeReader.value;
    if (reader === null) {
      // It was loaded with the job, unless that was in another process.
      typeReader.get().catch(() => {});
      return job;
    }
    try {
      const text = readSourceFile(source.path, SOURCE_LENGTH_MAX);
      if (text === null) throw new Error(`it has more than ${SOURCE_LENGTH_MAX} bytes`);
      const language = source.path.endsWith("ts") ? "ts" : "js";
      const read = reader.readSignature(text, { file: source.path, language, entry: source.entry });
      const { problem: _, ...rest } = source;
      return {
        ...job,
        // Parameters given as text replace missing ones of the source.
        signature: read.isTyped ? read : job.signature,
        source: { ...rest, version, files: hashes },
      };
    } catch (error) {
      if (isResourceError(error)) return job;
      watched.problem = toJobError(error, `Cannot parse ${source.path}`).message;
      return withProblem(job, watched.problem);
    }
  }

  /** Null if no file can be opened right now, for reasons unrelated to this one. */
  #look(path: string, nowMs: number): Watched | null {
    let watched = this.#modules.get(path);
    if (watched === undefined) {
      watched = { countsUntilMs: -Infinity, files: null, problem: null };
      this.#modules.set(path, watched);
    }
    if (nowMs < watched.countsUntilMs) return watched;
    watched.countsUntilMs = nowMs + LOOK_EVERY_MS;
    if (watched.files !== null && isUnchanged(watched.files)) return watched;
    try {
      watched.files = readModuleFiles(path);
      watched.problem = null;
    } catch (error) {
      if (isResourceError(error)) {
        watched.countsUntilMs = -Infinity;
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
