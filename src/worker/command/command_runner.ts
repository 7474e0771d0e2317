import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, statSync } from "node:fs";
import { commandEnd } from "../../core/text/command_end.ts";
import { errorCode, JobError } from "../../core/errors.ts";
import type { CommandSpec } from "../../core/job/job.ts";
import { withoutUndefined } from "../../core/object_keys.ts";
import { type Account, resolveAccount } from "../../platform/process/accounts.ts";
import { systemClock } from "../../platform/clock.ts";
import { commandArguments } from "./command_input.ts";
import { ResultFile } from "./command_result.ts";
import { isResourceError } from "../../platform/process/resources.ts";
import { killGroup, MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { openUnnamedFile } from "./unnamed_file.ts";
import { encodeJobError } from "../job_stack.ts";
import type { AttemptResult, TaskInstance } from "../protocol.ts";

/** Receives what happens to a running command. */
export interface CommandHost {
  /** Called right before the process is started; `group` follows in any case. */
  starting(): void;
  /** Its process group; null once none of its processes is left. */
  group(group: number | null): void;
  started(): void;
  /** The command has ended. Processes left in its group are killed next, unless `isLeft`. */
  ended(how: { readonly isLeft: boolean; readonly isAborted: boolean }): void;
}

/** A running command. */
export interface RunningCommand {
  /** Never rejects; resolves once its whole process group has ended. */
  readonly result: Promise<AttemptResult>;
  /** SIGTERM to its process group. */
  abort(): void;
}

/**
 * Run a command in a process group of its own, with cron's minimal environment, in `cwd` or else in
 * its user's home. It writes to this process's own stdout and stderr and reads its `stdin`, by
 * default /dev/null. An exit code in `successCodes` is success; the result is the content of
 * `$JOB_RESULT_FILE`. Processes that it leaves in its group are killed; those that left the group
 * are killed by the sweep of the worker's processes. With `leavesChildren` neither are, unless the
 * command was aborted.
 */
export function startCommand(
  spec: CommandSpec,
  instance: TaskInstance,
  host: CommandHost,
): RunningCommand {
  let child: ChildProcess;
  const file = ResultFile.open();
  try {
    child = spawnCommand(spec, instance, { host, file });
  } catch (error) {
    host.group(null);
    file?.close();
    return { result: Promise.resolve(failed(error)), abort() {} };
  }
  const group = child.pid;
  host.group(group ?? null);
  if (group !== undefined) host.started();
  let isTooLarge = false;
  let isAborted = false;
  const watch = file?.watch(systemClock, () => {
    isTooLarge = true;
    if (group !== undefined) killGroup(group, "SIGKILL");
  });
  const ended = new Promise<AttemptResult>((resolve) => {
    child.once("error", (error) => {
      if (group === undefined) resolve(failed(startError(spec, error)));
    });
    child.once("exit", (code, signal) => {
      const isLeft = spec.leavesChildren === true && !isAborted && !isTooLarge;
      host.ended({ isLeft, isAborted });
      if (!isLeft) killGroup(group!, "SIGKILL");
      host.group(null);
      // If the file is too large, reading it throws the error of the attempt.
      const isSuccess = isTooLarge || (code !== null && spec.successCodes.includes(code));
      resolve(isSuccess ? succeeded(code ?? 0, file) : exited(spec, code, signal));
    });
  });
  return {
    result: ended.finally(() => {
      watch?.cancel();
      file?.close();
    }),
    abort() {
      isAborted = true;
      if (group !== undefined) killGroup(group, "SIGTERM");
    },
  };
}

function spawnCommand(
  spec: CommandSpec,
  instance: TaskInstance,
  { host, file }: { readonly host: CommandHost; readonly file: ResultFile | null },
): ChildProcess {
  const account = resolveAccount(spec.user, spec.group);
  const cwd = spec.cwd ?? (existsSync(account.home) ? account.home : "/");
  checkDirectory(cwd);
  const given = commandArguments(spec, instance);
  const argv = [...spec.argv, ...given.argv];
  const env = {
    ...environment(spec, instance, account),
    ...given.env,
    ...(file === null ? {} : { JOB_RESULT_FILE: file.path }),
  };
  const stdin = given.stdin === null
    ? null
    : openUnnamedFile({ text: given.stdin, isWritable: false });
  const umask = spec.umask === null ? null : process.umask(spec.umask);
  host.starting();
  try {
    return spawn(argv[0]!, argv.slice(1), {
      cwd,
      env,
      detached: true,
      stdio: [stdin ?? "ignore", "inherit", "inherit", file?.descriptor ?? "ignore"],
      ...(account.uid === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
  } catch (error) {
    throw startError(spec, error as Error);
  } finally {
    if (umask !== null) process.umask(umask);
    if (stdin !== null) closeSync(stdin);
  }
}

function environment(
  spec: CommandSpec,
  instance: TaskInstance,
  account: Account,
): Record<string, string> {
  return {
    HOME: account.home,
    LOGNAME: account.name,
    USER: account.name,
    SHELL: "/bin/sh",
    PATH: "/usr/bin:/bin",
    ...spec.env,
    JOB_UUID: instance.id,
    JOB_KIND: instance.kind,
    JOB_ATTEMPT: String(instance.attempt),
    JOB_FENCE: String(instance.fence),
    JOB_SCHEDULED_FOR: new Date(instance.scheduledFor ?? instance.dueAt).toISOString(),
    // Identifies its processes, whichever session they move to.
    [MARKER_VARIABLE]: process.env[MARKER_VARIABLE] ?? "",
  };
}

function checkDirectory(cwd: string): void {
  let problem = "not a directory";
  try {
    if (statSync(cwd).isDirectory()) {
      // Otherwise the spawn would fail as if the program were not executable.
      accessSync(cwd, constants.X_OK);
      return;
    }
  } catch (error) {
    problem = errorCode(error) ?? "cannot be read";
  }
  throw new JobError("invalid_argument", `Cannot run the command in "${cwd}": ${problem}`, {
    hint: 'Set "cwd" to a directory that exists and that its user may enter',
  });
}

function startError(spec: CommandSpec, error: Error): JobError {
  const code = errorCode(error);
  const found = code === "ENOENT"
    ? "not found"
    : code === "EACCES"
    ? "not executable, or its user may not enter the directory"
    : code === "E2BIG"
    ? "its arguments are too long for the system"
    : error.message;
  return new JobError("invalid_argument", `Cannot run the command "${spec.argv[0]}": ${found}`, {
    cause: error,
    hint: code === "E2BIG"
      ? "Give long text by the standard input: stdin = { arg = … } in the table of the job"
      : "Name the program by its absolute path, or set PATH in env",
  });
}

function failed(error: unknown): AttemptResult {
  return { type: isResourceError(error) ? "unstarted" : "error", error: encodeJobError(error) };
}

function succeeded(code: number, file: ResultFile | null): AttemptResult {
  try {
    return { type: "ok", resultsJson: file?.read() ?? "[]", exitCode: code };
  } catch (error) {
    return { type: "error", error: encodeJobError(error) };
  }
}

function exited(spec: CommandSpec, code: number | null, signal: string | null): AttemptResult {
  const found = { exitCode: code ?? undefined, signal: signal ?? undefined };
  const message = `Command "${spec.argv[0]}" ${commandEnd(found)}`;
  const error = { name: "CommandError", message };
  return { type: "error", error: withoutUndefined({ ...error, ...found }) };
}
