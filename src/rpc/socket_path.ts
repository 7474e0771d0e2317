import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the sockets and tokens of this user's daemons are: made by the daemon, private to the user. */
export function runtimeDir(
  uid: number = process.getuid?.() ?? 0,
  base: string | undefined = process.env.XDG_RUNTIME_DIR,
): string {
  if (uid === 0) return "/run/jobctl";
  return base ? join(base, "jobctl") : join(tmpdir(), `jobctl-${uid}`);
}

/** The Unix socket of the daemon whose TCP port is `port`. */
export function socketPath(port: number): string {
  return join(runtimeDir(), `jobctl-${port}.sock`);
}

/** Where a client looks for that socket: among its own user's, then among those of the system's daemon. */
export function socketPaths(port: number): readonly string[] {
  const system = join("/run/jobctl", `jobctl-${port}.sock`);
  const own = socketPath(port);
  return own === system ? [own] : [own, system];
}

/** The default token file of the daemon whose TCP port is `port`. */
export function tokenPath(port: number): string {
  return join(runtimeDir(), `jobctl-${port}.token`);
}
