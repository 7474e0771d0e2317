import { lstatSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { errorCode } from "../core/errors.ts";
import { distrustError, findDistrust } from "../platform/files/trusted_path.ts";
import { isWindows } from "../platform/system/runtime.ts";

/**
 * The folder of the sockets and tokens of this user's daemons. The daemon creates it, private to
 * the user. On Windows it is in the user's profile, which other users cannot open.
 */
export function runtimeDir(
  uid: number = process.getuid?.() ?? 0,
  base: string | undefined = process.env.XDG_RUNTIME_DIR,
): string {
  if (isWindows()) return join(process.env.LOCALAPPDATA ?? tmpdir(), "jobctl");
  if (uid === 0) return "/run/jobctl";
  return base ? join(base, "jobctl") : join(tmpdir(), `jobctl-${uid}`);
}

/** The Unix socket of the daemon whose TCP port is `port`. */
export function socketPath(port: number): string {
  return join(runtimeDir(), `jobctl-${port}.sock`);
}

/**
 * The paths that a client tries for that socket: in the folders of the given daemon user, if any,
 * then of its own user, then of the system daemon. None on Windows.
 */
export function socketPaths(port: number, daemonUid: number | null = null): readonly string[] {
  if (isWindows()) return [];
  const ofUser = daemonUid === null || daemonUid === 0
    ? []
    : [runtimeDir(daemonUid, `/run/user/${daemonUid}`), runtimeDir(daemonUid, "")];
  const folders = [...ofUser, runtimeDir(), runtimeDir(0)];
  return [...new Set(folders)].map((folder) => join(folder, `jobctl-${port}.sock`));
}

/**
 * The user to whom root has given the folder of the system daemon, like systemd for a unit with
 * `User=` and `RuntimeDirectory=`: nobody else could have created it there.
 *
 * @returns null if the folder is missing, or others than root could have put it there
 */
export function systemDaemonUid(folder: string = runtimeDir(0)): number | null {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory() || (found.mode & 0o022) !== 0) return null;
  const above = lstatSync(dirname(folder));
  // Not even in a folder such as /tmp, where anybody may create one.
  if (above.uid !== 0 || (above.mode & 0o022) !== 0) return null;
  return findDistrust(dirname(folder)) === null ? found.uid : null;
}

/** A connection to the Unix socket at `path`. @throws the system's error */
export function openSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** Connect to `path` once. @throws the system's error if no process accepts the connection */
export async function probeSocket(path: string): Promise<void> {
  (await openSocket(path)).destroy();
}

/** True if a process listens at `path`, even if it has a full backlog or refuses this user. */
export async function isListening(path: string): Promise<boolean> {
  const problem = await probeSocket(path).catch((error: unknown) => errorCode(error));
  return problem === undefined || !["ECONNREFUSED", "ENOENT"].includes(problem);
}

/** The default token file of the daemon whose TCP port is `port`. */
export function tokenPath(port: number): string {
  return join(runtimeDir(), `jobctl-${port}.token`);
}

/**
 * Refuse a folder that a user other than root or our own can write to: a token or socket in it
 * could be anyone's.
 *
 * @param action the failed action, such as `Cannot listen on /tmp/x.sock`
 * @param remedy an alternative to fixing the folder
 * @throws JobError `permission_denied` naming the folder
 */
export function checkFolder(folder: string, action: string, remedy: string): void {
  const distrust = findDistrust(folder, { isLinkAllowed: folder !== runtimeDir() });
  if (!distrust) return;
  const command = distrust.remedy === null ? "" : ` (${distrust.remedy})`;
  const wanted =
    "The folder must belong to this user or root, and nobody else may be able to write to it";
  throw distrustError(action, distrust, `${wanted}${command}. ${remedy}`);
}
