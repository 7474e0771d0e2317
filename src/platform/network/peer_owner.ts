import { open } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { endianness } from "node:os";
import process from "node:process";

/** The addresses and ports that identify a connection, seen from our side. */
export interface ConnectionAddresses {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Kernel tables; the peer of an IPv4 connection is in the second one if it listens on "::". */
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
const TABLE_BYTES_MAX = 256 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** State of an open connection in these tables. */
const ESTABLISHED = "01";

/**
 * The user at the other end of a TCP connection on this machine, according to the kernel: the user
 * who accepted the connection, not just any listener.
 *
 * @returns the user's id; null while nobody has accepted the connection, or if its other end is on
 * another machine or in another network namespace; undefined on systems without such a table
 */
export async function peerOwner(
  connection: ConnectionAddresses,
): Promise<number | null | undefined> {
  if (process.platform !== "linux") return undefined;
  let isKnown = false;
  for (const table of TABLES) {
    const owner = await findOwner(table, connection);
    if (typeof owner === "number") return owner;
    if (owner === null) isKnown = true;
  }
  return isKnown ? null : undefined;
}

async function findOwner(
  table: string,
  connection: ConnectionAddresses,
): Promise<number | null | undefined> {
  const isWide = table.endsWith("6");
  const { localAddress, localPort, remoteAddress, remotePort } = connection;
  // Our remote address is local there.
  const local = tableAddress(remoteAddress, remotePort, isWide);
  const remote = tableAddress(localAddress, localPort, isWide);
  if (local === null || remote === null) return null;
  const wanted = `: ${local} ${remote} ${ESTABLISHED} `;
  let file;
  try {
    file = await open(table, "r");
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let rest = "";
    for (let total = 0; total < TABLE_BYTES_MAX;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) break;
      total += bytesRead;
      const text = rest + buffer.toString("latin1", 0, bytesRead);
      const end = text.lastIndexOf("\n") + 1;
      const at = text.lastIndexOf(wanted, end);
      if (at >= 0) return ownerOf(text.slice(at, text.indexOf("\n", at)));
      rest = text.slice(end);
    }
    return null;
  } finally {
    await file.close();
  }
}

/**
 * The owner in a table line, starting at its addresses. A connection that nobody has accepted yet
 * has inode 0; older kernels then report root, whoever listens.
 */
function ownerOf(line: string): number | null {
  // : local remote state queues timer retransmits uid timeout inode …
  const fields = line.trim().split(/\s+/);
  const [uid, inode] = [Number(fields[7]), Number(fields[9])];
  return Number.isSafeInteger(uid) && inode > 0 ? uid : null;
}

/**
 * An address as the kernel's tables write it, in 32-bit words in machine byte order; null for
 * another address family.
 */
function tableAddress(address: string, port: number, isWide: boolean): string | null {
  const bytes = addressBytes(address);
  if (bytes === null) return null;
  const isMapped = bytes.length === 16 && isMappedAddress(bytes);
  let wide = bytes;
  if (isWide && bytes.length === 4) wide = [...new Array(10).fill(0), 0xff, 0xff, ...bytes];
  if (!isWide && isMapped) wide = bytes.slice(12);
  if (wide.length !== (isWide ? 16 : 4)) return null;
  let text = "";
  for (let at = 0; at < wide.length; at += 4) {
    const word = wide.slice(at, at + 4);
    if (endianness() === "LE") word.reverse();
    text += word.map((byte) => hex(byte, 2)).join("");
  }
  return `${text}:${hex(port, 4)}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

function isMappedAddress(bytes: readonly number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

function addressBytes(address: string): number[] | null {
  if (isIPv4(address)) return address.split(".").map(Number);
  // The zone of a link-local address is not part of the table.
  const [text = ""] = address.split("%");
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const plain = dotted ? `${dotted[1]}${pairs(dotted[2]!)}` : text;
  const [head = "", tail] = plain.split("::");
  const words = (part: string) => part === "" ? [] : part.split(":");
  const before = words(head);
  const behind = tail === undefined ? [] : words(tail);
  const missing = 8 - before.length - behind.length;
  if (missing < 0 || (tail === undefined && missing > 0)) return null;
  const all = [...before, ...new Array(missing).fill("0"), ...behind].map((word) =>
    parseInt(word, 16)
  );
  if (!all.every((word) => word >= 0 && word <= 0xffff)) return null;
  return all.flatMap((word) => [word >> 8, word & 0xff]);
}

function pairs(ipv4: string): string {
  const [a, b, c, d] = ipv4.split(".").map(Number) as [number, number, number, number];
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
