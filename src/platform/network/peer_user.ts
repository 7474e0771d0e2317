import type { Socket } from "node:net";
import { lazyLibc } from "../system/libc.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** Size of `struct ucred`: process, user and group, 32 bits each. */
const CREDENTIALS_BYTES = 12;

const openLibc = lazyLibc("getsockopt");

/**
 * The user at the other end of a Unix socket connection, as recorded by the kernel when it
 * connected.
 *
 * @returns null if the kernel cannot be queried: on a runtime other than Bun, outside Linux, or for
 * a closed connection
 */
export function peerUserId(socket: Socket): number | null {
  const descriptor = (socket as { _handle?: { readonly fd?: unknown } | null })._handle?.fd;
  if (typeof descriptor !== "number" || descriptor < 0) return null;
  const libc = openLibc();
  if (libc === null) return null;
  const credentials = new Uint32Array(CREDENTIALS_BYTES / 4);
  const length = Uint32Array.of(CREDENTIALS_BYTES);
  const { getsockopt } = libc.symbols;
  const failed = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0;
  return failed || length[0] !== CREDENTIALS_BYTES ? null : credentials[1]!;
}
