import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isJobError, JobError, messageOf } from "../core/errors.ts";
import { AMBIENT_TYPES } from "../jobs/types/gen/ambient.ts";
import { fileErrorCode, writeHint } from "../core/file_errors.ts";
import { trustProblem } from "../platform/files/trusted_path.ts";
import { INIT_COMMAND, INIT_JOB, initConfig } from "./init_files.ts";
import { detectKind } from "./service/install_service.ts";
import { CONFIG_DEFAULT, type ServiceKind, USER_DEFAULT } from "./service/service_settings.ts";
import { checkCommand, installCommand, missingSteps } from "./service/service_steps.ts";

/** The files of a project, by their paths in it. */
function projectFiles(
  { isWindows, isService }: { readonly isWindows: boolean; readonly isService: boolean },
): Readonly<Record<string, string>> {
  return {
    "config.toml": `${initConfig(isService)}${isWindows ? "" : INIT_COMMAND}`,
    "jobs/greet.ts": INIT_JOB,
    "ts-job.d.ts": AMBIENT_TYPES,
  };
}

/** The result of {@link initProject}. */
export interface InitResult {
  /** Files written, absolute. */
  readonly written: readonly string[];
  /** Commands to run next. */
  readonly next: readonly string[];
}

/**
 * Write a configuration, an example job and the types for job modules into `directory`.
 *
 * @throws JobError `already_exists` if one of the files exists and `force` is not set: then nothing
 * is written; `permission_denied` for root in a folder that others can change
 */
export function initProject(
  directory: string,
  options: {
    readonly force?: boolean;
    /** Write what works on Windows. */
    readonly isWindows?: boolean;
    /** Write the configuration of this system's service, for its manager. */
    readonly service?: ServiceKind | null;
  } = {},
): InitResult {
  const root = resolve(directory);
  const { service = null, isWindows = false } = options;
  const files = projectFiles({ isWindows, isService: service !== null });
  const paths = Object.keys(files).map((name) => join(root, name));
  for (const path of paths) checkPlace(path);
  const present = paths.filter((path) => existsSync(path));
  if (present.length > 0 && !options.force) {
    throw new JobError(
      "already_exists",
      `Cannot write a project to "${root}": ${present.join(", ")} already ${
        present.length === 1 ? "exists" : "exist"
      }`,
      { hint: "Choose another directory, or overwrite with --force" },
    );
  }
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(root, name);
      // Under any umask, no one else may write to them: root would not trust them.
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      checkPlace(path);
      writeFileSync(path, text, { flag: options.force ? "w" : "wx", mode: 0o644 });
    }
  } catch (error) {
    if (isJobError(error)) throw error;
    throw new JobError(
      fileErrorCode(error),
      `Cannot write a project to "${root}": ${messageOf(error)}`,
      { hint: writeHint(error, "Choose a directory that you may write to"), cause: error },
    );
  }
  return { written: paths, next: nextSteps(directory, service) };
}

function nextSteps(directory: string, service: ServiceKind | null): string[] {
  const root = resolve(directory);
  if (service !== null) {
    const wanted = { user: USER_DEFAULT, config: join(root, "config.toml") };
    const { config } = wanted;
    return [checkCommand(config), ...missingSteps(wanted, service), installCommand(wanted)];
  }
  const config = resolve(process.cwd()) === root ? "config.toml" : join(directory, "config.toml");
  return [
    `jobctl check --config ${config}`,
    `jobctl serve --config ${config}`,
    "jobctl schedule greet you --wait",
  ];
}

/**
 * The service manager that a folder is configured for; null if it is not the folder of the service,
 * or if this system has no service manager.
 */
export function serviceOfFolder(directory: string): ServiceKind | null {
  if (resolve(directory) !== dirname(CONFIG_DEFAULT)) return null;
  try {
    return detectKind();
  } catch (error) {
    if (isJobError(error, "unimplemented")) return null;
    throw error;
  }
}

/** Root would not trust this project, and a link in it could lead anywhere. */
function checkPlace(path: string): void {
  const problem = trustProblem(path) ?? trustProblem(dirname(path));
  if (!problem?.isFatal) return;
  throw new JobError("permission_denied", `Cannot write "${path}": ${problem.message}`, {
    hint: "Choose a folder that belongs to root, or run it as the folder's owner",
  });
}
