import { statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import type { Config, LoadedConfig } from "../../config/config.ts";
import type { DaemonFacts, DoctorOptions, FoundDaemon } from "./facts.ts";

/** What the checks that come after the questions to the daemon work on. */
export interface Patient {
  readonly options: DoctorOptions;
  /** Null if the configuration cannot be used. */
  readonly loaded: LoadedConfig | null;
  readonly found: FoundDaemon;
  /** Null unless it answered. */
  readonly daemon: DaemonFacts | null;
  /** Its process on this machine; null if none is known. */
  readonly pid: number | null;
  /** The user that the daemon runs as, or would. */
  readonly uid: number;
  /** The command that restarts it. */
  readonly restart: string;
}

/** Find out about the daemon's process and user. */
export function patientOf(
  options: DoctorOptions,
  { loaded, found }: Pick<Patient, "loaded" | "found">,
): Patient {
  const daemon = found.type === "running" ? found.daemon : null;
  const node = daemon?.nodes.find(({ id }) => id === daemon.node);
  const pid = node?.host === hostname() && isProcess(node.pid) ? node.pid : null;
  return {
    ...{ options, loaded, found, daemon, pid },
    uid: userOf(pid, options, loaded?.config ?? null),
    restart: options.isService ? "sudo systemctl restart jobctl" : "restart jobctl serve",
  };
}

function isProcess(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined;
}

/** The user of the process; of a service that is stopped the owner of its data; else our own. */
function userOf(
  pid: number | null,
  { isService }: DoctorOptions,
  config: Config | null,
): number {
  const own = process.getuid?.() ?? 0;
  const address = config?.store.address;
  const folder = isService && address?.type === "sqlite" ? dirname(address.path) : null;
  const path = pid !== null ? `/proc/${pid}` : folder;
  return path === null ? own : statSync(path, { throwIfNoEntry: false })?.uid ?? own;
}
