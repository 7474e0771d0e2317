import { accessSync, constants } from "node:fs";
import { setPriority } from "node:os";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { limitOpenFiles, setIoPriority } from "./process_control.ts";

/**
 * What a process changes about itself before it runs job code. Absent members stay as inherited.
 */
export interface ProcessSetup {
  readonly nice?: number;
  /** Priority for disks, such as "idle" or "best-effort:7". */
  readonly ionice?: string;
  readonly umask?: number;
  /** Open-file soft limit. */
  readonly openFiles?: number;
  /** The name finds the user's groups. */
  readonly account?: {
    readonly name: string;
    readonly home: string;
    readonly uid: number;
    readonly gid: number;
  };
  readonly cwd?: string;
}

// Deno has none; the others do, although the types do not say so.
const { initgroups } = process as { readonly initgroups?: (user: string, group: number) => void };

/** True if a process can switch to a user with all of its groups by itself. */
export function canSwitchUser(): boolean {
  return initgroups !== undefined;
}

/**
 * Apply a setup: priority, umask, open-file limit, groups and user, directory. There is no way back
 * to root.
 *
 * @throws JobError that names what could not be applied
 */
export function applySetup({ nice, ionice, umask, openFiles, account, cwd }: ProcessSetup): void {
  // It applies to this thread and what it starts: the guard keeps its own priority.
  if (nice !== undefined) attempt(`take the priority ${nice}`, () => setPriority(0, nice));
  if (ionice !== undefined) {
    attempt(`take the priority "${ionice}" for disks`, () => setIoPriority(ionice));
  }
  if (umask !== undefined) process.umask(umask);
  if (openFiles !== undefined) limitOpenFiles(openFiles);
  if (account !== undefined) {
    const { name, home, uid, gid } = account;
    attempt(`run as user "${name}"`, () => {
      initgroups!(name, gid);
      process.setgid!(gid);
      process.setuid!(uid);
    });
    // Not before: the runtime keeps files of its own there, which would be root's.
    process.env.HOME = home;
  }
  if (cwd !== undefined) attempt(`run in "${cwd}"`, () => process.chdir(cwd));
}

/** Why this process may not read a file; null when it may. */
export function unreadable(path: string): JobError | null {
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") {
      return new JobError("not_found", `Cannot load ${path}: the file is gone`, {
        hint: "Put it back, or restart the daemon without it",
      });
    }
    return new JobError("permission_denied", `Cannot load ${path}: ${code} as ${whoAmI()}`, {
      hint: "Let the job's user read the module, what it imports, and their directories",
    });
  }
}

function whoAmI(): string {
  return `user ${process.getuid?.() ?? "of this system"}`;
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const reason = errorCode(error) ?? messageOf(error);
    throw new JobError("permission_denied", `Cannot ${what}: ${reason}`, { cause: error });
  }
}
