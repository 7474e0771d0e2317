import { existsSync } from "node:fs";
import type { JobDefinition, ProcessLimits, ProcessSpec } from "../../core/job/job.ts";
import { type Account, resolveAccount } from "../../platform/system/accounts.ts";
import { minimalEnvironment } from "../../jobs/loading/minimal_environment.ts";
import { HIDDEN_COMMANDS } from "../../platform/system/runtime.ts";
import {
  type ProcessSetup,
  startAs,
  withOpenFilesMax,
} from "../../platform/process/process_setup.ts";
import { MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { isServiceVariable } from "../../platform/process/service_socket.ts";
import { openFilesOfChildren } from "../../platform/process/process_control.ts";

/** The command line, environment and account of a worker process. */
export interface WorkerLaunch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Set where the worker cannot switch to its account. */
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The environment that workers inherit. "minimal": cron's, plus variables that programs need on
 * this system; "own": this process's.
 */
export type WorkerEnvironment = "minimal" | "own";

/** The key of modules without process settings. */
export const PLAIN_KEY = "module";

const keys = new WeakMap<JobDefinition, string>();

/**
 * The key of a job's workers: jobs with one key may run in the same worker, so they share its user,
 * directory, umask, variables and priorities.
 */
export function poolKey(job: JobDefinition): string {
  let key = keys.get(job);
  if (key === undefined) {
    const spec = specOf(job);
    key = spec === null ? PLAIN_KEY : JSON.stringify(settingsOf(spec));
    keys.set(job, key);
  }
  return key;
}

/** The settings of a job's processes; null if it sets nothing. */
export function specOf({ source }: JobDefinition): ProcessSpec | null {
  if (source.type === "module") return source.process ?? null;
  return source.type === "command" ? source.command : null;
}

/** The limits of a job whose usage must be watched; null if it sets no limits. */
export function usageLimits(job: JobDefinition): ProcessLimits | null {
  const limits = specOf(job)?.limits;
  if (!limits || (limits.memoryBytes === null && limits.cpuMs === null)) return null;
  return limits;
}

function settingsOf(spec: ProcessSpec): readonly unknown[] {
  const { user, group, nice, ionice, limits, cwd, umask, env } = spec;
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  const shared = [user, group, nice ?? null, ionice ?? null, limits?.openFiles ?? null];
  return [...shared, cwd, umask, variables];
}

/**
 * Launch settings of a worker for jobs with these settings.
 *
 * @param command argv of this program
 * @throws JobError if no worker can run as the job's user or group
 */
export function launchOf(
  spec: ProcessSpec | null,
  options: {
    readonly command: readonly string[];
    readonly environment: WorkerEnvironment;
    readonly marker: string;
  },
): WorkerLaunch {
  const account = resolveAccount(spec?.user ?? null, spec?.group ?? null);
  const start = startAs({ ...account, home: spec?.env.HOME || account.home });
  const setup = JSON.stringify({ ...setupOf(spec, account), ...start.setup });
  const argv = [...options.command, HIDDEN_COMMANDS.worker, ...(setup === "{}" ? [] : [setup])];
  const openFiles = spec?.limits?.openFiles ?? null;
  return {
    argv: openFiles === null ? argv : withOpenFilesMax(openFiles, argv),
    env: {
      ...baseEnvironment(options.environment, account, spec?.user ?? null),
      ...spec?.env,
      ...start.env,
      [MARKER_VARIABLE]: options.marker,
    },
    ...start.ids,
  };
}

function setupOf(spec: ProcessSpec | null, { uid, home }: Account): ProcessSetup {
  // Its own home, as it may have no access to the daemon's directory.
  const ownHome = uid === undefined ? null : existsSync(home) ? home : "/";
  const cwd = spec?.cwd ?? ownHome;
  // The job's own limit is set before the program starts.
  const hasOwnLimit = typeof spec?.limits?.openFiles === "number";
  return {
    openFiles: hasOwnLimit ? undefined : openFilesOfChildren() ?? undefined,
    nice: spec?.nice ?? undefined,
    ionice: spec?.ionice ?? undefined,
    umask: spec?.umask ?? undefined,
    cwd: cwd ?? undefined,
  };
}

function baseEnvironment(
  kind: WorkerEnvironment,
  account: Account,
  user: string | null,
): Record<string, string> {
  if (kind === "minimal") return minimalEnvironment(account);
  // A job with NOTIFY_SOCKET could report the service as ready or stopping.
  const own = Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && !isServiceVariable(entry[0])
  );
  const identity = { HOME: account.home, LOGNAME: account.name, USER: account.name };
  return { ...Object.fromEntries(own), ...(user === null ? {} : identity) };
}
