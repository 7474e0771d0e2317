import { readlinkSync, statSync } from "node:fs";
import { getPriority } from "node:os";
import { readSystemFile } from "../platform/files/read_file.ts";
import { statOf } from "../platform/process/process_identity.ts";
import type { SupervisorLaunch } from "./command_launch.ts";

/** Rights that processes inherit from each other, in the names of /proc/PID/status. */
const RIGHTS = [
  "CapBnd",
  "NoNewPrivs",
  "Seccomp",
  "Seccomp_filters",
  "Umask",
  "Cpus_allowed",
  "Mems_allowed",
];
/** The same for processes that do not change their user or group. */
const OWN_RIGHTS = ["Uid", "Gid", "Groups", "CapInh", "CapAmb"];
/** Files of /proc/PID with more that is inherited. */
const INHERITED = ["oom_score_adj", "personality", "coredump_filter"];
/** Real-time priority and scheduling policy among the fields of {@link statOf}. */
const SCHEDULING = [37, 38];
/** The limit that a daemon and its supervisors change themselves. */
const OWN_LIMIT = "Max open files";
/** Namespaces that must be the same. A service manager makes new mounts that are alike. */
const NAMESPACES = ["ipc", "net", "pid", "user"];

/**
 * True if a supervisor is as this process would start it now: with the same program, command line
 * and environment, and with the limits, rights and mounts of this process. Its commands share them.
 * False where the system does not show that, as on all systems but Linux.
 *
 * Filters of system calls are only counted: the kernel shows their content to nobody.
 *
 * @param nice its priority if it has its own
 */
export function hasSameLaunch(
  pid: number,
  { argv, env }: Pick<SupervisorLaunch, "argv" | "env">,
  nice: number | null,
): boolean {
  if (process.platform !== "linux") return false;
  try {
    return isSameFile(`/proc/${pid}/exe`, "/proc/self/exe") &&
      read(pid, "cmdline") === `${argv.join("\0")}\0` &&
      hasVariables(read(pid, "environ"), env) &&
      getPriority(pid) === (nice ?? getPriority()) &&
      hasSameRights(
        pid,
        argv.at(-1)!.includes('"account":') ? RIGHTS : [...RIGHTS, ...OWN_RIGHTS],
      );
  } catch {
    return false;
  }
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [statSync(one), statSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}

function hasVariables(environ: string, env: Readonly<Record<string, string>>): boolean {
  const given = new Set(environ.split("\0"));
  return Object.entries(env).every(([name, value]) => given.has(`${name}=${value}`));
}

function hasSameRights(pid: number, rights: readonly string[]): boolean {
  const isSameSpace = (name: string) => {
    return readlinkSync(`/proc/${pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`);
  };
  const isSame = (name: string, part: (text: string) => string = (text) => text) => {
    return part(read(pid, name)) === part(read("self", name));
  };
  return NAMESPACES.every(isSameSpace) && isSame("limits", inheritedLimits) &&
    isSame("status", (text) => linesOf(text, rights)) &&
    INHERITED.every((name) => isSame(name)) && schedulingOf(pid) === schedulingOf(process.pid) &&
    // Label of Linux's security modules, if any.
    readSystemFile(`/proc/${pid}/attr/current`) === readSystemFile("/proc/self/attr/current") &&
    (isSameSpace("mnt") || isSame("mountinfo", mountsIn));
}

function read(pid: number | "self", name: string): string {
  const text = readSystemFile(`/proc/${pid}/${name}`);
  if (text === null) throw new Error(`process ${pid} does not show its ${name}`);
  return text;
}

function inheritedLimits(text: string): string {
  return text.split("\n").filter((line) => !line.startsWith(OWN_LIMIT)).join("\n");
}

function linesOf(status: string, names: readonly string[]): string {
  return status.split("\n").filter((line) => names.includes(line.split(":")[0]!)).join("\n");
}

function schedulingOf(pid: number): string {
  const stat = statOf(pid);
  return SCHEDULING.map((place) => stat?.[place]).join(" ");
}

/** Mounts and their places, without the numbers that differ in every namespace. */
function mountsIn(text: string): string {
  return text.split("\n").map((line) => {
    const [, , , root, path, options, ...rest] = line.split(" ");
    return [root, path, options, ...rest.slice(rest.indexOf("-"))].join(" ");
  }).sort().join("\n");
}
