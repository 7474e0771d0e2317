import { dirname } from "node:path";
import { isLoopback } from "../../core/address.ts";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { findDistrust } from "../../platform/files/trusted_path.ts";
import { runtimeDir, socketPaths, systemDaemonUid } from "../socket_path.ts";
import type { ConnectOptions } from "./connect_options.ts";

/** Options of a client, with the address that they have by default. */
export type Target = ConnectOptions & { readonly host: string; readonly port: number };

/** A Unix socket, and a further user, apart from root and ours, whose daemon may be there. */
export interface FoundSocket<Opened = unknown> {
  readonly path: string;
  readonly daemonUid: number | null;
  readonly opened: Opened;
}

/** A socket that others can replace may be forged: anyone can create a folder in /tmp. */
function isTrusted(path: string, daemonUid: number | null): boolean {
  return findDistrust(dirname(path), { owners: daemonUid === null ? [] : [daemonUid] }) === null;
}

interface Search extends Target {
  readonly daemonUid: number | null;
  /** Receives the paths without a socket. */
  readonly tried: string[];
}

/**
 * The first Unix socket that accepts connections; null to use TCP.
 *
 * @param open connects to a path, or rejects
 * @throws JobError `unavailable` if the given socket accepts none
 */
export async function findSocket<Opened>(
  search: Search,
  open: (path: string) => Promise<Opened>,
): Promise<FoundSocket<Opened> | null> {
  const { daemonUid, tried, ...target } = search;
  if (typeof target.socket === "string") {
    try {
      return { path: target.socket, daemonUid, opened: await open(target.socket) };
    } catch (error) {
      const problem = errorCode(error) ?? messageOf(error);
      throw new JobError(
        "unavailable",
        `Cannot reach the daemon at ${target.socket}: ${problem}`,
        { hint: "Is the daemon running, and may this user open its socket?" },
      );
    }
  }
  // Over the socket, the caller would be this process's user, not the owner of the token.
  const hasToken = target.token !== undefined || target.tokenFile !== undefined;
  if (target.socket === null || hasToken || target.tls || !isLoopback(target.host)) return null;
  for (const path of socketPaths(target.port, daemonUid)) {
    const uid = daemonUid ?? (dirname(path) === runtimeDir(0) ? systemDaemonUid() : null);
    try {
      if (isTrusted(path, uid)) return { path, daemonUid: uid, opened: await open(path) };
    } catch {
      // The next place, or TCP.
    }
    tried.push(path);
  }
  return null;
}
