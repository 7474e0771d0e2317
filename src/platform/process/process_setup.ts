import { accessSync, constants } from "node:fs";
import { setPriority } from "node:os";
import { errorCode, JobError, messageOf, toJobError } from "../../core/errors.ts";
import type { Account } from "../system/accounts.ts";
import { type CgroupTree, enterTree } from "./cgroup_tree.ts";
import { keepOpenFilesForChildren, limitOpenFiles, setIoPriority } from "./process_control.ts";

/** Changes of a process to itself before it runs job code. Absent members stay as inherited. */
export interface ProcessSetup {
  readonly nice?: number;
  /** Priority for disks, such as "idle" or "best-effort:7". */
  readonly ionice?: string;
  readonly umask?: number;
  /** Open-file soft limit. */
  readonly openFiles?: number;
  /** The same only for processes that it starts, while it keeps its own. */
  readonly openFilesOfChildren?: number;
  /** The name finds the user's groups. */
  readonly account?: Required<Account>;
  readonly cwd?: string;
  /** Separate control groups, where they can be made: see {@link enterTree}. */
  readonly cgroups?: CgroupTree;
}

// Deno lacks it; the others have it, although the types omit it.
const { initgroups } = process as { readonly initgroups?: (user: string, group: number) => void };

/**
 * Options for starting a process that is to run as an account. It takes the account by its setup,
 * with all groups of the user; under Deno only the start itself can change the user.
 */
export function startAs({ name, home, uid, gid }: Account): {
  readonly setup: ProcessSetup;
  readonly env: Readonly<Record<string, string>>;
  readonly ids: Pick<Account, "uid" | "gid">;
} {
  if (uid === undefined || gid === undefined) return { setup: {}, env: {}, ids: {} };
  if (initgroups === undefined) return { setup: {}, env: {}, ids: { uid, gid } };
  // The home of the user is set after the switch: as root the runtime would keep files there.
  const env = { HOME: process.env.HOME ?? "/" };
  return { setup: { account: { name, home, uid, gid } }, env, ids: {} };
}

/**
 * Apply the setup that is the last argument of this process, if it has one: priority, umask,
 * open-file limit, groups and user, directory. There is no way back to root.
 *
 * @returns what could not be applied, and why; null if nothing
 */
export function takeSetup(): string | null {
  const text = process.argv.at(-1);
  try {
    if (text?.startsWith("{")) applySetup(JSON.parse(text) as ProcessSetup);
    return null;
  } catch (error) {
    return toJobError(error, "Cannot set up").message;
  }
}

function applySetup(setup: ProcessSetup): void {
  const { nice, ionice, umask, openFiles, openFilesOfChildren, account, cwd, cgroups } = setup;
  // Before the change of user, who is given them.
  if (cgroups !== undefined) enterTree(cgroups, account ?? null);
  // It applies to this thread and its children: the guard keeps its own priority.
  if (nice !== undefined) attempt(`take the priority ${nice}`, () => setPriority(0, nice));
  if (ionice !== undefined) {
    attempt(`take the priority "${ionice}" for disks`, () => setIoPriority(ionice));
  }
  if (umask !== undefined) process.umask(umask);
  if (openFiles !== undefined) limitOpenFiles(openFiles);
  if (openFilesOfChildren !== undefined) keepOpenFilesForChildren(openFilesOfChildren);
  if (account !== undefined) {
    const { name, home, uid, gid } = account;
    attempt(`run as user "${name}"`, () => {
      initgroups!(name, gid);
      process.setgid!(gid);
      process.setuid!(uid);
    });
    // Not before: the runtime keeps files there, which would be root's.
    process.env.HOME = home;
  }
  if (cwd !== undefined) attempt(`run in "${cwd}"`, () => process.chdir(cwd));
}

/** An argv that limits open files, then runs `argv`. Only the shell exists everywhere to do it. */
export function withOpenFilesMax(openFiles: number, argv: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', String(openFiles), ...argv];
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
