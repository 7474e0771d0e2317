import { statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import type { Config, LoadedConfig } from "../../config/config.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { isAccount, userId, userName } from "../../platform/system/accounts.ts";
import type { DaemonFacts, DoctorOptions, FoundDaemon } from "./facts.ts";
import { sqliteOwner } from "./sqlite_look.ts";

/** The subject of all checks after the questions to the daemon. */
export interface Target {
  readonly options: DoctorOptions;
  /** Null if the configuration cannot be used. */
  readonly loaded: LoadedConfig | null;
  readonly found: FoundDaemon;
  /** Null unless it answered. */
  readonly daemon: DaemonFacts | null;
  /** Its process on this machine; null if unknown. */
  readonly pid: number | null;
  /** The user that the daemon runs as, or would. */
  readonly uid: number;
  /** The command that restarts it. */
  readonly restart: string;
}

/** Find out about the daemon's process and user. */
export async function targetOf(
  options: DoctorOptions,
  { loaded, found: asked }: Pick<Target, "loaded" | "found">,
): Promise<Target> {
  const daemon = asked.type === "running" ? asked.daemon : null;
  const node = daemon?.nodes.find(({ id }) => id === daemon.node);
  const listed = node?.host === hostname() ? node.pid : null;
  const address = loaded?.config.store.address;
  const owner = daemon === null && address?.type === "sqlite"
    ? await sqliteOwner(address.path)
    : null;
  const known = listed ?? owner?.pid ?? null;
  const pid = known !== null && isProcess(known) ? known : null;
  const isSilent = asked.type === "none" || asked.type === "unknown" && asked.isForeign === true;
  return {
    options,
    loaded,
    daemon,
    pid,
    found: pid !== null && isSilent ? silent(pid) : asked,
    uid: userOf(pid, options, loaded?.config ?? null),
    restart: options.isService ? "sudo systemctl restart jobctl" : "restart jobctl serve",
  };
}

/** A daemon that has the database open, but was unreachable for this user. */
function silent(pid: number): FoundDaemon {
  const user = userName(statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0);
  return {
    type: "unknown",
    why: `process ${pid} of user ${user} has the store open, and did not answer`,
    remedy: `jobctl doctor --daemon-user ${shellWord(user)}, or as that user`,
  };
}

function isProcess(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined;
}

/** User of the process. Without one: of its unit, else the owner of its data, else our own user. */
function userOf(
  pid: number | null,
  { isService, sandbox }: DoctorOptions,
  config: Config | null,
): number {
  const own = process.getuid?.() ?? 0;
  if (pid === null && sandbox !== null && isAccount(sandbox.user)) return userId(sandbox.user);
  const address = config?.store.address;
  const folder = isService && address?.type === "sqlite" ? dirname(address.path) : null;
  const path = pid !== null ? `/proc/${pid}` : folder;
  return path === null ? own : statSync(path, { throwIfNoEntry: false })?.uid ?? own;
}
