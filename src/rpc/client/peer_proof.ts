import type { Socket } from "node:net";
import process from "node:process";
import { hostPort, isLoopback } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import { accountName, userId } from "../../platform/system/accounts.ts";
import { systemClock } from "../../platform/clock.ts";
import { peerOwner, STRANGER } from "../../platform/network/peer_owner.ts";
import { peerUserId } from "../../platform/network/peer_user.ts";
import { findDistrust } from "../../platform/files/trusted_path.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { systemDaemonUid } from "../socket_path.ts";
import { POLL_MAX_MS, POLL_MIN_MS, PROOF_MS } from "../limits.ts";

/** The users accepted at the other end of a connection without TLS, and what would be sent. */
export interface ProofOptions {
  /** Path of the Unix socket; null for TCP. */
  readonly socket: string | null;
  /** A user whose daemon is accepted in addition to root's and our own; null for none. */
  readonly daemonUid: number | null;
  readonly hasToken: boolean;
}

/** The user whose daemon is accepted: the named one, or else the system service's. */
export function daemonUidOf(named: string | undefined): number | null {
  return named === undefined ? systemDaemonUid() : userId(named);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.timer(ms, resolve, { unref: true }));
}

/**
 * Check the owner of the other end of a new connection without TLS, before anything is sent. On
 * this machine, the kernel must report a process of root, of our own user or of `daemonUid`. A
 * token is never sent to another machine.
 *
 * @throws JobError `unavailable` with the name of the listening user
 */
export async function provePeer(socket: Socket, options: ProofOptions): Promise<void> {
  if (options.socket === null) await proveTcp(socket, options);
  else proveUnix(socket, options.socket, options);
}

function proveUnix(socket: Socket, path: string, options: ProofOptions): void {
  const owner = peerUserId(socket);
  if (owner !== null) return checkOwner(owner, path, options);
  // If the kernel does not report it, nobody else may be able to write to the socket's place.
  const { daemonUid } = options;
  const distrust = findDistrust(path, { owners: daemonUid === null ? [] : [daemonUid] });
  if (!distrust) return;
  throw refusal(
    `Nothing was sent to ${path}: "${distrust.path}" is not trusted: ${distrust.problem}`,
    "Keep the socket in a folder that only the daemon's user can write to",
  );
}

async function proveTcp(socket: Socket, options: ProofOptions): Promise<void> {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (
    localAddress === undefined || localPort === undefined || remoteAddress === undefined ||
    remotePort === undefined
  ) {
    // There, Bun also reports refused connections as open.
    if (isWindows()) throw new Error("the connection was refused, or closed at once");
    throw new JobError("unavailable", "Cannot send anything: the connection was closed at once");
  }
  const address = hostPort(remoteAddress, remotePort);
  // The resolver decides the meaning of a name such as "localhost", so check the address.
  if (!isLoopback(remoteAddress.replace(/^::ffff:/i, ""))) {
    if (!options.hasToken) return;
    throw refusal(`Cannot send a token to ${address}: it is not on this machine`, TLS_HINT);
  }
  const connection = { localAddress, localPort, remoteAddress, remotePort };
  const until = systemClock.now().monotonicMs + PROOF_MS;
  for (let waitMs = POLL_MIN_MS;; waitMs = Math.min(waitMs * 2, POLL_MAX_MS)) {
    const owner = await peerOwner(connection);
    if (owner === undefined) {
      if (!options.hasToken) return;
      throw refusal(
        `Cannot send a token to ${address}: this system does not show who listens there`,
        TLS_HINT,
      );
    }
    if (owner !== null) return checkOwner(owner, address, options);
    if (socket.destroyed || systemClock.now().monotonicMs >= until) {
      throw refusal(
        `Cannot identify the process that listens on ${address}: no process on this machine accepted the connection`,
        "The daemon may be busy or in a container: use its Unix socket or TLS (--tls)",
      );
    }
    await pause(waitMs);
  }
}

const TLS_HINT = isWindows() ? "Use TLS (--tls)" : "Use the daemon's Unix socket, or TLS (--tls)";

function refusal(message: string, hint: string): JobError {
  return new JobError("unavailable", message, { hint });
}

function checkOwner(uid: number, address: string, { daemonUid }: ProofOptions): void {
  const own = process.getuid?.() ?? 0;
  if (uid === 0 || uid === own || uid === daemonUid) return;
  if (uid === STRANGER) {
    throw refusal(
      `Nothing was sent to ${address}: the process that listens there is not known to be this user's`,
      "Find it with netstat -ano -p TCP. To reach a daemon of another user, or one that runs as administrator, use TLS (--tls)",
    );
  }
  const wanted = own === 0 ? "root" : `root or ${accountName(own)}`;
  const port = /:(\d+)$/.exec(address)?.[1];
  const search = port === undefined ? `ss -lxp 'src = ${address}'` : `ss -ltnp 'sport = :${port}'`;
  throw refusal(
    `Nothing was sent to ${address}: ${accountName(uid)} listens there, wanted ${wanted}`,
    uid === systemDaemonUid()
      ? `That is the service's user. With a token, add --daemon-user ${uid}; without one, root adds you to server.socket_group; with the package: usermod -aG jobctl NAME`
      : `If that is the daemon you mean, add --daemon-user ${uid}; otherwise find the process with: ${search}`,
  );
}
