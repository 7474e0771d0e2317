import { readSystemFile } from "../../platform/files/read_file.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** A soft and a hard limit. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** Limits of the daemon's process, or of this one while no daemon runs. */
export type LimitsFacts = ReturnType<typeof readLimits>;

/** Open files of a daemon without workers, with room for clients. */
const FILES_BASE = 256;
/** Open files for each worker: its pipes, and the sockets of a call. */
const FILES_EACH = 16;
/** A worker has about this many threads, and its command has some processes. */
const PROCESSES_EACH = 16;
const PROCESSES_BASE = 64;
const PIDS_MIN = 8_192;
const INSTANCES_MIN = 16;
const WATCHES_MIN = 1_024;
const FILES_WANTED = 65_536;

/** Read the limits of a process. @param pid null for this one */
export function readLimits(
  pid: number | null,
  { workers, isService }: { readonly workers: number; readonly isService: boolean },
) {
  const text = readSystemFile(`/proc/${pid ?? "self"}/limits`);
  const number = (path: string) => {
    const found = readSystemFile(`/proc/sys/${path}`)?.trim();
    return found !== undefined && /^\d+$/.test(found) ? Number(found) : null;
  };
  return {
    /** Owner of the limits: "process 123", or "this shell". */
    who: pid === null ? "this shell" : `process ${pid}`,
    /** Null if the system does not tell. */
    files: text === null ? null : limitOf(text, "Max open files"),
    processes: text === null ? null : limitOf(text, "Max processes"),
    pidMax: number("kernel/pid_max"),
    inotifyInstances: number("fs/inotify/max_user_instances"),
    inotifyWatches: number("fs/inotify/max_user_watches"),
    /** Most attempts at once. */
    workers,
    isService,
  };
}

/** One line of `/proc/PID/limits`; null if missing. */
export function limitOf(text: string, name: string): Limit | null {
  const line = text.split("\n").find((each) => each.startsWith(name));
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/) ?? [];
  if (soft === undefined || hard === undefined) return null;
  const value = (word: string) => word === "unlimited" ? Infinity : Number(word);
  return { soft: value(soft), hard: value(hard) };
}

/** Judge the limits. */
export function checkLimits(facts: LimitsFacts): Finding[] {
  const { who, files, processes, pidMax, inotifyInstances, inotifyWatches, workers } = facts;
  const { ok, warning, unchecked } = findingsOf("limits");
  if (files === null) return [unchecked(`cannot read the limits of ${who}`, "sudo jobctl doctor")];
  const findings: Finding[] = [];
  const workersText = workers === 1 ? "1 worker" : `${workers} workers`;
  const filesWanted = FILES_BASE + workers * FILES_EACH;
  if (files.soft < filesWanted) {
    const text = `${who} may open ${files.soft} files; ${workersText} may need ${filesWanted}`;
    findings.push(warning(text, raise(facts, "LimitNOFILE", "-n", filesWanted)));
  }
  const processesWanted = PROCESSES_BASE + workers * PROCESSES_EACH;
  if (processes !== null && processes.soft < processesWanted) {
    const text =
      `the user of ${who} may have ${processes.soft} processes and threads; ${workersText} may need ${processesWanted}`;
    findings.push(warning(text, raise(facts, "LimitNPROC", "-u", processesWanted)));
  }
  const kernel: readonly (readonly [number | null, number, string, number])[] = [
    [pidMax, PIDS_MIN, "kernel.pid_max", 4_194_304],
    [inotifyInstances, INSTANCES_MIN, "fs.inotify.max_user_instances", 1_024],
    [inotifyWatches, WATCHES_MIN, "fs.inotify.max_user_watches", 65_536],
  ];
  for (const [value, least, name, wanted] of kernel) {
    if (value === null || value >= least) continue;
    findings.push(warning(`${name} is ${value}`, `sudo sysctl -w ${name}=${wanted}`));
  }
  if (findings.length > 0) return findings;
  return [ok(`${who} may open ${files.soft} files, which is enough for ${workersText}`)];
}

function raise(
  { isService, who, files }: LimitsFacts,
  key: string,
  option: string,
  wanted: number,
): string {
  if (isService) {
    return `sudo systemctl edit jobctl, add [Service] ${key}=${FILES_WANTED}, and restart it`;
  }
  const isAllowed = option !== "-n" || files!.hard >= wanted;
  const command = `ulimit ${isAllowed ? "-S " : ""}${option} ${wanted}`;
  return who === "this shell" ? command : `${command}, then restart jobctl serve`;
}
