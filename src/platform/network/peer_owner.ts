import { open } from "node:fs/promises";
import { isIPv4, type Socket } from "node:net";
import { endianness } from "node:os";
import { isLoopback } from "../../core/address.ts";
import process from "node:process";
import { isWindows } from "../system/runtime.ts";
import type { ConnectionAddresses } from "./connection_addresses.ts";
import { isOwnAddress } from "./own_address.ts";
import { windowsPeer } from "./windows_peer.ts";

/** Kernel tables; the peer of an IPv4 connection is in the second one if it listens on "::". */
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
const TABLE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Replaces the id of a user whom the system does not name: any other user on Windows, which does
 * not number users.
 */
export const STRANGER = -1;

/**
 * The user of a client that has connected to us.
 *
 * @returns {@link STRANGER} for an unnamed user of this machine; null for another machine, and on
 * systems that name nobody
 */
export async function clientUser(socket: Socket): Promise<number | null> {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (
    localAddress === undefined || localPort === undefined || remoteAddress === undefined ||
    remotePort === undefined
  ) return STRANGER;
  const user = await peerOwner({ localAddress, localPort, remoteAddress, remotePort });
  if (user !== null) return user ?? null;
  // The kernel does not name a user who has closed one half of the connection.
  const [address = ""] = remoteAddress.replace(/^::ffff:/i, "").split("%");
  return isLoopback(address) || isOwnAddress(address) ? STRANGER : null;
}

/**
 * The user at the other end of a TCP connection on this machine, according to the kernel: the user
 * who accepted the connection, not just any listener.
 *
 * @returns the user's id, on Windows 0 for our own user; null while nobody has accepted the
 * connection, or if its other end is on another machine or in another network namespace; undefined
 * on systems without a table of connections
 */
export async function peerOwner(
  connection: ConnectionAddresses,
): Promise<number | null | undefined> {
  if (isWindows()) {
    const peer = windowsPeer(connection);
    return peer === "own" ? 0 : peer === "other" ? STRANGER : peer;
  }
  if (process.platform !== "linux") return undefined;
  const { localAddress, localPort, remoteAddress, remotePort } = connection;
  // Our remote address is local there. State 01 is an open connection.
  const row = new RegExp(
    `: ([0-9A-F]+):${hexPort(remotePort)} ([0-9A-F]+):${hexPort(localPort)} 01 .*`,
  );
  const wanted = [remoteAddress, localAddress].map(canonicalAddress);
  let found: number | null | undefined;
  for (const table of TABLES) {
    const file = await open(table, "r").catch(() => null);
    if (file === null) continue;
    found = null;
    try {
      for await (const line of file.readLines({ encoding: "latin1", end: TABLE_BYTES_MAX })) {
        const match = row.exec(line);
        const isPeer = match?.slice(1).every((field, at) => addressOf(field) === wanted[at]);
        const owner = isPeer ? ownerOf(match![0]) : null;
        if (owner !== null) return owner;
      }
    } finally {
      await file.close().catch(() => {});
    }
  }
  return found;
}

/**
 * The owner in a table line, starting at its addresses. A connection that nobody has accepted yet
 * has inode 0; older kernels then report root for every listener.
 */
function ownerOf(line: string): number | null {
  // : local remote state queues timer retransmits uid timeout inode …
  const fields = line.trim().split(/\s+/);
  const [uid, inode] = [Number(fields[7]), Number(fields[9])];
  return Number.isSafeInteger(uid) && inode > 0 ? uid : null;
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** An address of the kernel's tables, which have 32-bit words in machine byte order. */
function addressOf(field: string): string {
  const bytes = Buffer.from(field, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (bytes.length === 4) return canonicalAddress(bytes.join("."));
  return canonicalAddress(bytes.toString("hex").replace(/(....)(?!$)/g, "$1:"));
}

/** An IPv6 address in its one short form; an IPv4 address as the mapped one. */
function canonicalAddress(address: string): string {
  // The zone of a link-local address is not part of the table.
  const [text] = isIPv4(address) ? [`::ffff:${address}`] : address.split("%");
  return new URL(`http://[${text}]`).hostname;
}
