import { existsSync } from "node:fs";
import type { JobDefinition, ProcessSpec } from "../../core/job/job.ts";
import { type Account, resolveAccount } from "../../platform/process/accounts.ts";
import { minimalEnvironment } from "../../jobs/loading/minimal_environment.ts";
import { HIDDEN_COMMANDS } from "../../platform/process/process.ts";
import { canSwitchUser, type ProcessSetup } from "../../platform/process/process_setup.ts";
import { MARKER_VARIABLE } from "../../platform/process/descendants.ts";
import { openFilesOfChildren } from "../../platform/process/process_control.ts";

/** What a worker process is started with. */
export interface WorkerLaunch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Set where the worker cannot take on its account by itself. */
  readonly uid?: number;
  readonly gid?: number;
}

/** Where a worker's environment comes from. */
export type WorkerEnvironment =
  /** Cron's, and what makes programs work on this system. */
  | "minimal"
  /** That of this process. */
  | "own";

const keys = new WeakMap<JobDefinition, string>();

/**
 * Names the pool of a job: jobs of one pool may be served by the same worker.
 *
 * Modules run in the worker itself, so what surrounds it is theirs. Commands have workers of their own, as job code that printed
 * may have left descriptors non-blocking, which commands inherit; their directory, mask and variables are set for each.
 */
export function poolKey(job: JobDefinition): string {
  let key = keys.get(job);
  if (key === undefined) {
    const spec = specOf(job);
    const { type } = job.source;
    key = spec === null ? type : JSON.stringify([type, ...surroundings(spec, type)]);
    keys.set(job, key);
  }
  return key;
}

/** What surrounds a job's processes; null where nothing is set. */
export function specOf({ source }: JobDefinition): ProcessSpec | null {
  if (source.type === "module") return source.process ?? null;
  return source.type === "command" ? source.command : null;
}

function surroundings(spec: ProcessSpec, type: string): readonly unknown[] {
  const { user, group, nice, ionice, limits, cwd, umask, env } = spec;
  const shared = [user, group, nice ?? null, ionice ?? null, limits?.openFiles ?? null];
  if (type === "command") return shared;
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...shared, cwd, umask, variables];
}

/**
 * How a worker for jobs with this specification is started.
 *
 * @param command argv of this program
 * @throws JobError when the job's user or group cannot be had
 */
export function launchOf(
  { spec, isModule }: { readonly spec: ProcessSpec | null; readonly isModule: boolean },
  options: {
    readonly command: readonly string[];
    readonly environment: WorkerEnvironment;
    readonly marker: string;
  },
): WorkerLaunch {
  const account = resolveAccount(spec?.user ?? null, spec?.group ?? null);
  const canSwitch = canSwitchUser();
  const setup = JSON.stringify(setupOf(spec, { account, isModule, canSwitch }));
  const argv = [...options.command, HIDDEN_COMMANDS.worker, ...(setup === "{}" ? [] : [setup])];
  const openFiles = spec?.limits?.openFiles ?? null;
  return {
    argv: openFiles === null ? argv : limited(openFiles, argv),
    env: {
      ...baseEnvironment(options.environment, account, spec?.user ?? null),
      ...(isModule ? spec?.env : {}),
      // Its own once it has its user: as root the runtime would keep files of its own there.
      ...(account.uid !== undefined && canSwitch ? { HOME: process.env.HOME ?? "/" } : {}),
      [MARKER_VARIABLE]: options.marker,
    },
    // Under Deno nothing but the start itself can change the user.
    ...(account.uid === undefined || canSwitch ? {} : { uid: account.uid, gid: account.gid }),
  };
}

function setupOf(
  spec: ProcessSpec | null,
  context: {
    readonly account: Account;
    readonly isModule: boolean;
    readonly canSwitch: boolean;
  },
): ProcessSetup {
  const { account, isModule, canSwitch } = context;
  const { name, uid, gid, home } = account;
  const isSwitched = uid !== undefined && gid !== undefined && canSwitch;
  // Its own home, as the daemon's directory may be closed to it.
  const ownHome = isModule && uid !== undefined ? (existsSync(home) ? home : "/") : null;
  const cwd = isModule ? spec?.cwd ?? ownHome : null;
  // The job's own limit is set before the program starts.
  const openFiles = spec?.limits?.openFiles === undefined || spec.limits.openFiles === null
    ? openFilesOfChildren()
    : null;
  return {
    ...(openFiles === null ? {} : { openFiles }),
    ...(typeof spec?.nice === "number" ? { nice: spec.nice } : {}),
    ...(typeof spec?.ionice === "string" ? { ionice: spec.ionice } : {}),
    ...(isModule && typeof spec?.umask === "number" ? { umask: spec.umask } : {}),
    ...(isSwitched
      ? { account: { name, home: isModule && spec?.env.HOME || home, uid, gid } }
      : {}),
    ...(cwd === null ? {} : { cwd }),
  };
}

/** The shell is the only program that sets limits and is everywhere. */
function limited(openFiles: number, argv: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', String(openFiles), ...argv];
}

function baseEnvironment(
  kind: WorkerEnvironment,
  account: Account,
  user: string | null,
): Record<string, string> {
  if (kind === "minimal") return minimalEnvironment(account);
  const own = Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  const identity = { HOME: account.home, LOGNAME: account.name, USER: account.name };
  return { ...Object.fromEntries(own), ...(user === null ? {} : identity) };
}
