import type { CommandSpec, JobDefinition } from "../core/job/job.ts";
import { minimalEnvironment } from "../jobs/loading/minimal_environment.ts";
import { type Account, resolveAccount } from "../platform/system/accounts.ts";
import { commandCgroups } from "../platform/process/cgroup_tree.ts";
import { MARKER_VARIABLE } from "../platform/process/descendants.ts";
import { HIDDEN_COMMANDS } from "../platform/system/runtime.ts";
import { openFilesOfChildren } from "../platform/process/process_control.ts";
import { type ProcessSetup, startAs } from "../platform/process/process_setup.ts";
import type { WorkerLaunch } from "../worker/process/worker_launch.ts";
import type { TaskInstance } from "../worker/protocol.ts";
import { commandArguments } from "./command_arguments.ts";
import type { CommandLaunch } from "./protocol.ts";
import type { SupervisorPlace } from "./supervisor_folder.ts";

/** The command line, environment and account of a supervisor. */
export type SupervisorLaunch = WorkerLaunch;

/** The key of a command's supervisor: user, group and priority, which its commands share. */
export function supervisorKey({ user, group, nice, ionice }: CommandSpec): string {
  return JSON.stringify([user, group, nice ?? null, ionice ?? null]);
}

/**
 * True if the supervisor of a command has other rights than this process.
 *
 * @throws JobError if nothing can run as the command's user or group
 */
export function isForeignCommand({ user, group }: CommandSpec): boolean {
  return resolveAccount(user, group).uid !== undefined;
}

/**
 * Launch settings of a command's supervisor.
 *
 * @param command argv of this program
 * @param marker value of the environment variable that identifies its own process
 * @param place where later daemons find it; null for nowhere
 * @param hasCgroups false if its commands have no control groups
 * @throws JobError if nothing can run as the command's user or group
 */
export function supervisorLaunch(
  { user, group, nice, ionice }: CommandSpec,
  { command, marker, place, hasCgroups }: {
    readonly command: readonly string[];
    readonly marker: string;
    readonly place: SupervisorPlace | null;
    readonly hasCgroups: boolean;
  },
): SupervisorLaunch {
  const account = resolveAccount(user, group);
  const start = startAs(account);
  const cgroups = hasCgroups ? commandCgroups(marker) : null;
  const setup = JSON.stringify(
    {
      ...start.setup,
      openFilesOfChildren: openFilesOfChildren() ?? undefined,
      nice: nice ?? undefined,
      ionice: ionice ?? undefined,
      cgroups: cgroups ?? undefined,
    } satisfies ProcessSetup,
  );
  const options = [...(place === null ? [] : [place]), ...(setup === "{}" ? [] : [setup])];
  return {
    argv: [...command, HIDDEN_COMMANDS.supervisor, ...options],
    env: { ...minimalEnvironment(account), ...start.env, [MARKER_VARIABLE]: marker },
    ...start.ids,
  };
}

/**
 * A command with the arguments of an instance, and with cron's minimal environment.
 *
 * @throws JobError `invalid_argument` for an argument that its table does not allow
 */
export function commandLaunch(
  job: JobDefinition,
  spec: CommandSpec,
  { instance, marker }: { readonly instance: TaskInstance; readonly marker: string },
): CommandLaunch {
  const account = resolveAccount(spec.user, spec.group);
  const given = commandArguments(spec, instance);
  return {
    argv: [...spec.argv, ...given.argv],
    env: {
      ...environment(spec, instance, account),
      ...given.env,
      // Identifies its processes in any session.
      [MARKER_VARIABLE]: marker,
    },
    cwd: spec.cwd,
    home: account.home,
    umask: spec.umask,
    stdin: given.stdin,
    marker,
    openFiles: spec.limits?.openFiles ?? null,
    memoryBytes: spec.limits?.memoryBytes ?? null,
    output: job.options.output,
    secrets: spec.secrets,
    successCodes: spec.successCodes,
    leavesChildren: spec.leavesChildren === true,
  };
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
  };
}
