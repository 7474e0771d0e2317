import type { Socket } from "node:net";
import process from "node:process";
import { hostPort, isLoopback } from "../core/address.ts";
import { JobError } from "../core/errors.ts";
import { accountName } from "../platform/accounts.ts";
import { systemClock } from "../platform/clock.ts";
import { peerOwner } from "../platform/peer_owner.ts";
import { peerUserId } from "../platform/peer_user.ts";
import { findDistrust } from "../platform/trusted_path.ts";
import { POLL_MAX_MS, POLL_MIN_MS, PROOF_MS } from "./limits.ts";

/** Who may be at the other end of a connection without TLS, and what is at stake. */
export interface ProofOptions {
  /** Path of the Unix socket; null for TCP. */
  readonly socket: string | null;
  /** The user whose daemon it is, besides root's and our own; null for none. */
  readonly daemonUid: number | null;
  /** Whether a token would be sent. */
  readonly hasToken: boolean;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.timer(ms, resolve, { unref: true }));
}

/**
 * Check who is at the other end of a new connection without TLS before anything is sent. On this machine it must be a process of
 * root, of our own user or of `daemonUid`, by what the kernel knows of the connection. No token goes to another machine.
 *
 * @throws JobError `unavailable` naming the user who listens
 */
export async function provePeer(socket: Socket, options: ProofOptions): Promise<void> {
  if (options.socket === null) await proveTcp(socket, options);
  else proveUnix(socket, options.socket, options);
}

function proveUnix(socket: Socket, path: string, options: ProofOptions): void {
  const owner = peerUserId(socket);
  if (owner !== null) return checkOwner(owner, path, options);
  // Without the kernel's word, nobody else may have been able to put the socket there.
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
    throw new JobError("unavailable", "Cannot send anything: the connection was closed at once");
  }
  const address = hostPort(remoteAddress, remotePort);
  // A name such as "localhost" is what the resolver makes of it.
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
        `Cannot send a token to ${address}: this system cannot tell who listens there`,
        TLS_HINT,
      );
    }
    if (owner !== null) return checkOwner(owner, address, options);
    if (socket.destroyed || systemClock.now().monotonicMs >= until) {
      throw refusal(
        `Cannot tell who listens on ${address}: no process on this machine accepted the connection`,
        "The daemon may be busy or in a container: use its Unix socket or TLS (--tls)",
      );
    }
    await pause(waitMs);
  }
}

const TLS_HINT = "Use the daemon's Unix socket, or TLS (--tls)";

function refusal(message: string, hint: string): JobError {
  return new JobError("unavailable", message, { hint });
}

function checkOwner(uid: number, address: string, { daemonUid }: ProofOptions): void {
  const own = process.getuid?.() ?? 0;
  if (uid === 0 || uid === own || uid === daemonUid) return;
  const wanted = own === 0 ? "root" : `root or ${accountName(own)}`;
  const port = /:(\d+)$/.exec(address)?.[1];
  const search = port === undefined ? `ss -lxp 'src = ${address}'` : `ss -ltnp 'sport = :${port}'`;
  throw refusal(
    `Nothing was sent to ${address}: ${accountName(uid)} listens there, wanted ${wanted}`,
    `If that is the daemon you mean, add --daemon-user ${uid}; otherwise find the process with: ${search}`,
  );
}
