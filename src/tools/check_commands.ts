import { succeeds } from "../core/or_else.ts";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import type { CommandSpec, JobDefinition, ProcessSpec } from "../core/job/job.ts";
import type { JobTable } from "../core/job/job_table.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { errorCode, isJobError } from "../core/errors.ts";
import { type Account, resolveAccount } from "../platform/system/accounts.ts";

/** Search path for programs if a job does not set PATH. */
const PATH_DEFAULT = "/usr/bin:/bin";

/**
 * Programs and working folders that commands and modules would not find at their first run.
 *
 * @param parts readable parts of tables with other problems
 */
export function checkCommands(
  jobs: readonly JobDefinition[],
  parts: readonly JobTable[],
): ConfigProblem[] {
  const ofJobs = jobs.map(({ kind, source }) => ({
    kind,
    command: source.type === "command" ? source.command : null,
    process: source.type === "module" ? source.process ?? null : null,
  }));
  return [...ofJobs, ...parts].flatMap(({ kind, command, process = null }) => {
    const spec = command ?? process;
    const account = spec && accountOf(spec);
    if (!spec || !account) return [];
    const found: ConfigProblem[] = [];
    const add = (key: string, [message, hint]: Finding) =>
      found.push({ path: `jobs.${kind}.${key}`, place: null, job: kind, message, hint });
    const folder = spec.cwd === null ? null : folderProblem(spec.cwd, account);
    if (folder !== null) add("cwd", folder);
    if (command === null) return found;
    // A missing folder was reported together with its content.
    const program = folder === null ? programProblem(command, account) : null;
    if (program !== null) add(isShellLine(command) ? "shell" : "command", program);
    return found;
  });
}

type Finding = readonly [message: string, hint: string];

/** Null if the account does not exist, which is reported separately. */
function accountOf({ user, group }: ProcessSpec): Account | null {
  try {
    return resolveAccount(user, group);
  } catch (error) {
    if (isJobError(error)) return null;
    throw error;
  }
}

/** True for a line of `run`: its shell finds programs only when it runs. */
function isShellLine({ argv }: CommandSpec): boolean {
  return argv.length > 2 && argv.at(-1) === "jobctl";
}

function folderProblem(cwd: string, account: Account): Finding | null {
  const hint = "Create the folder, or name another one";
  try {
    if (!statSync(cwd).isDirectory()) return [`"${cwd}" is not a folder`, hint];
    if (isOwn(account)) accessSync(cwd, constants.X_OK);
    return null;
  } catch (error) {
    return errorCode(error) === "EACCES"
      ? [`"${account.name}" may not enter the folder "${cwd}"`, "Let this user enter it"]
      : [`there is no folder "${cwd}"`, hint];
  }
}

function programProblem(
  { argv: [program = ""], env, cwd }: CommandSpec,
  account: Account,
): Finding | null {
  const isPath = program.includes("/");
  const path = env["PATH"] ?? PATH_DEFAULT;
  const base = cwd ?? account.home;
  const places = isPath
    ? [isAbsolute(program) ? program : resolve(base, program)]
    : path.split(delimiter).filter((folder) => folder !== "").map((folder) =>
      join(folder, program)
    );
  const isThere = places.filter((place) => isFile(place));
  if (isThere.some((place) => isExecutable(place, account))) return null;
  if (isThere.length > 0) {
    return [`"${isThere[0]}" is not executable for "${account.name}"`, "chmod +x makes it so"];
  }
  return isPath
    ? [`there is no program "${places[0]}"`, "Check its path; a relative one begins at cwd"]
    : [
      `no program "${program}" was found in PATH, which is ${path}`,
      "Install it, name it by its absolute path, or set PATH in env",
    ];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** For another user, any of the mode bits counts. */
function isExecutable(path: string, account: Account): boolean {
  if (!isOwn(account)) return (statSync(path).mode & 0o111) !== 0;
  return succeeds(() => accessSync(path, constants.X_OK));
}

function isOwn({ uid }: Account): boolean {
  return uid === undefined || uid === process.getuid?.();
}
