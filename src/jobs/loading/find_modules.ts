import { readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { errorCode, messageOf } from "../../core/errors.ts";
import type { ConfigProblem } from "../../core/config_problem.ts";
import { readModuleFiles } from "./module_files.ts";
import { readSourceFile, SOURCE_LENGTH_MAX } from "../types/read_source.ts";

/** A job module's file, read once. */
export interface ModuleFile {
  /** Absolute. */
  readonly path: string;
  /** The kind of a job that names none: `billing/invoice.ts` is "billing.invoice". */
  readonly fileKind: string;
  readonly source: string;
  /** Hash of its content and of the files that it imports by relative path. */
  readonly version: string;
  /** Hash of each of these files, by path. */
  readonly hashes: ReadonlyMap<string, string>;
  readonly language: "ts" | "js";
}

const MODULE = /\.(?:m?ts|m?js)$/;
const SKIPPED = /(?:\.d|\.test|\.spec)\.(?:m?ts|m?js)$/;
const DEPTH_MAX = 10;
/** Limits for one folder of `modules`, in files and total bytes: a user may own the folder. */
const MODULES_MAX = 10_000;
const BYTES_MAX = 64 * 1_048_576;

/**
 * The job modules in `directories`, in order of path. Skipped are files and directories that begin
 * with `_` or `.`, `node_modules`, declarations, tests, and directories named like a module.
 */
export function findModules(
  directories: readonly string[],
): { readonly files: readonly ModuleFile[]; readonly problems: readonly ConfigProblem[] } {
  const walk = new Walk();
  for (const directory of directories) {
    walk.begin();
    walk.directory(directory, directory, 0);
  }
  return walk;
}

class Walk {
  readonly files: ModuleFile[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #seen = new Set<string>();
  #count = 0;
  #bytes = 0;

  /** Start with another folder of the configuration. */
  begin(): void {
    this.#count = 0;
    this.#bytes = 0;
  }

  directory(root: string, path: string, depth: number): void {
    try {
      const real = realpathSync(path);
      // A link back to a directory above would be walked forever.
      if (this.#seen.has(real)) return;
      this.#seen.add(real);
      for (const name of readdirSync(path).toSorted()) {
        const isSkipped = /^[._]/.test(name) || name === "node_modules" || SKIPPED.test(name);
        if (!isSkipped) this.#entry(root, join(path, name), depth);
      }
    } catch (error) {
      const message = `Cannot read the directory "${path}": ${reasonOf(error)}`;
      this.problems.push({ place: null, path: "modules", message, job: null, unread: path });
    }
  }

  #entry(root: string, path: string, depth: number): void {
    const fileKind = kindOf(root, path);
    const isModule = MODULE.test(path);
    try {
      const stat = statSync(path);
      if (stat.isDirectory()) {
        if (!isModule && depth < DEPTH_MAX) this.directory(root, path, depth + 1);
      } else if (isModule && stat.isFile()) {
        this.#count += 1;
        this.#bytes += stat.size;
        if (this.#count > MODULES_MAX || this.#bytes > BYTES_MAX) {
          const found = this.#count > MODULES_MAX ? `${MODULES_MAX} modules` : `${BYTES_MAX} bytes`;
          return this.#problem(fileKind, path, `Cannot load ${path}: more than ${found} are found`);
        }
        this.#file(path, fileKind, stat.size);
      } else if (isModule) {
        this.#problem(fileKind, path, `Cannot load ${path}: it is not a regular file`);
      }
    } catch (error) {
      if (isModule) this.#problem(fileKind, path, `Cannot read ${path}: ${reasonOf(error)}`);
    }
  }

  #file(path: string, fileKind: string, bytes: number): void {
    if (bytes === 0) return this.#problem(fileKind, path, `Cannot load ${path}: it is empty`);
    const source = readSourceFile(path, SOURCE_LENGTH_MAX);
    if (source === null) {
      const found = `${bytes} bytes, at most ${SOURCE_LENGTH_MAX} are read`;
      return this.#problem(fileKind, path, `Cannot load ${path}: ${found}`);
    }
    const { version, hashes } = readModuleFiles(path);
    const language = path.endsWith("ts") ? "ts" : "js";
    this.files.push({ path, fileKind, source, version, hashes, language });
  }

  #problem(job: string, file: string, message: string): void {
    const place = { file, line: 1, column: 1 };
    this.problems.push({ place, path: `jobs.${job}`, message, job });
  }
}

function kindOf(root: string, path: string): string {
  return relative(root, path).split(sep).join(".").replace(MODULE, "");
}

function reasonOf(error: unknown): string {
  return errorCode(error) ?? messageOf(error);
}
