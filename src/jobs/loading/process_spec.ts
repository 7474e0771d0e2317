import { JobError, toJobError } from "../../core/errors.ts";
import type { ProcessSpec } from "../../core/job/job.ts";
import { isRoot, resolveAccount } from "../../platform/system/accounts.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { hasIoPriority } from "../../platform/process/process_control.ts";

/**
 * Refuse a command on Windows, which has no process groups: its children could not be ended.
 *
 * @throws JobError `unimplemented` with an alternative
 */
export function checkCommand(kind: string): void {
  if (!isWindows()) return;
  throw new JobError("unimplemented", `Cannot run job "${kind}": commands do not work on Windows`, {
    hint: "Write it as a module, or run it on Linux or macOS",
  });
}

/**
 * Check that this daemon can give a job the processes that its table requests.
 *
 * @throws JobError with the path of the key at fault
 */
export function checkProcess(
  kind: string,
  spec: ProcessSpec,
  isolation: "process" | "inline",
): void {
  const what = `Cannot load job "${kind}"`;
  if (isolation === "inline") {
    throw new JobError(
      "invalid_argument",
      `${what}: it has settings of a process and runs inline`,
      { hint: 'Set isolation = "process" for it', path: "isolation" },
    );
  }
  if (isWindows()) checkForWindows(kind, spec);
  if (typeof spec.nice === "number" && spec.nice < 0 && !isRoot()) {
    throw new JobError(
      "permission_denied",
      `${what}: nice is ${spec.nice}, which only root may take`,
      { hint: "Use 0 to 19, or run the daemon as root", path: "nice" },
    );
  }
  const disk = diskProblem(spec.ionice ?? null);
  if (disk !== null) {
    const [found, hint] = disk;
    throw new JobError("permission_denied", `${what}: ionice is "${spec.ionice}", ${found}`, {
      hint,
      path: "ionice",
    });
  }
  // Our own account needs no check, and thousands of jobs request one.
  if (spec.user === null && spec.group === null) return;
  try {
    resolveAccount(spec.user, spec.group);
  } catch (error) {
    const { code, message, hint } = toJobError(error, what);
    const text = message.replace(/^Cannot run/, `${what} to run`);
    throw new JobError(code, text, { hint, path: spec.user === null ? "group" : "user" });
  }
}

/** Refuse settings without a meaning on Windows. @throws JobError `unimplemented` */
function checkForWindows(kind: string, { user, group, umask, ionice, limits }: ProcessSpec): void {
  const asked = {
    user,
    group,
    umask,
    ionice,
    "limits.memory": limits?.memoryBytes,
    "limits.cpu": limits?.cpuMs,
    "limits.open_files": limits?.openFiles,
  };
  const found = Object.entries(asked).find(([, value]) => value !== null && value !== undefined);
  if (found === undefined) return;
  const [path] = found;
  throw new JobError(
    "unimplemented",
    `Cannot run job "${kind}": ${path} does not work on Windows`,
    {
      hint: "Leave it out, or run the job on Linux or macOS",
      path,
    },
  );
}

/** Why a disk priority is unavailable here, and what to do; null if it is available. */
function diskProblem(ionice: string | null): readonly [found: string, hint: string] | null {
  if (ionice === null) return null;
  if (!hasIoPriority()) {
    return ["which takes Linux with glibc, and Bun, as in the compiled jobctl", "Leave it out"];
  }
  return ionice.startsWith("realtime") && !isRoot()
    ? ["which only root may take", 'Use "best-effort:0", or run the daemon as root']
    : null;
}
