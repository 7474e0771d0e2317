import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { isWindows, runtimeName } from "../system/runtime.ts";
import type { ConnectionAddresses } from "./connection_addresses.ts";

/** Numbers of the Windows API. */
const TCP_TABLE_OWNER_PID_ALL = 5;
const FAMILIES = { ipv4: 2, ipv6: 23 } as const;
const ERROR_INSUFFICIENT_BUFFER = 122;
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;
const TOKEN_QUERY = 8;
const TOKEN_USER = 1;
const STATE_ESTABLISHED = 5;
/** The table may grow while it is being read. */
const TRIES_MAX = 5;
const TABLE_BYTES_MAX = 64 * 1024 * 1024;
/** A user's SID has at most 68 bytes; it follows its address and attributes. */
const TOKEN_USER_BYTES = 256;
const TOKEN_USER_HEAD_BYTES = 16;
/** The accounts of services with all rights: LocalSystem, S-1-5-18. */
const SYSTEM_SID = "010100000000000512000000";

/** Rows of the tables: their bytes, and where their fields are; each ends with the process. */
const ROWS = {
  ipv4: { bytes: 24, state: 0, local: 4, localPort: 8, remote: 12, remotePort: 16 },
  ipv6: { bytes: 56, state: 48, local: 0, localPort: 20, remote: 24, remotePort: 44 },
} as const;

/** The beginning of an IPv4 address in IPv6 form. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

type Native = Readonly<Record<string, (...args: unknown[]) => number>>;

/** The table that has a connection: IPv4's also if its addresses are written as IPv6. */
function familyOf({ remoteAddress }: ConnectionAddresses): keyof typeof ROWS {
  return remoteAddress.includes(":") && !MAPPED.test(remoteAddress) ? "ipv6" : "ipv4";
}

/**
 * The process at the other end of a connection, by a table as `GetExtendedTcpTable` writes it.
 *
 * @param table of the family of the connection's addresses
 * @returns null if no process has it
 */
export function pidInTable(table: Buffer, connection: ConnectionAddresses): number | null {
  const row = ROWS[familyOf(connection)];
  // Seen from the other end.
  const local = bytesOf(connection.remoteAddress);
  const remote = bytesOf(connection.localAddress);
  const count = table.readUInt32LE(0);
  for (let index = 0; index < count; index++) {
    const at = 4 + index * row.bytes;
    const isFound = table.readUInt32LE(at + row.state) === STATE_ESTABLISHED &&
      // In network byte order, in the first half of four bytes.
      table.readUInt16BE(at + row.localPort) === connection.remotePort &&
      table.readUInt16BE(at + row.remotePort) === connection.localPort &&
      table.subarray(at + row.local).indexOf(local) === 0 &&
      table.subarray(at + row.remote).indexOf(remote) === 0;
    if (isFound) return table.readUInt32LE(at + row.bytes - 4);
  }
  return null;
}

let opened: Native | null | undefined;

/** Functions of Windows; null unless this is Bun there. */
function openWindows(): Native | null {
  if (opened !== undefined) return opened;
  opened = null;
  if (!isWindows() || runtimeName() !== "bun") return null;
  try {
    const { dlopen } = createRequire(import.meta.url)("bun:ffi") as {
      dlopen(path: string, functions: unknown): { readonly symbols: Native };
    };
    opened = {
      ...dlopen("iphlpapi.dll", {
        GetExtendedTcpTable: {
          args: ["ptr", "ptr", "i32", "u32", "i32", "u32"],
          returns: "u32",
        },
      }).symbols,
      ...dlopen("kernel32.dll", {
        OpenProcess: { args: ["u32", "i32", "u32"], returns: "ptr" },
        CloseHandle: { args: ["ptr"], returns: "i32" },
      }).symbols,
      ...dlopen("advapi32.dll", {
        OpenProcessToken: { args: ["ptr", "u32", "ptr"], returns: "i32" },
        GetTokenInformation: { args: ["ptr", "i32", "ptr", "u32", "ptr"], returns: "i32" },
      }).symbols,
    };
  } catch {
    // Without them the peer is unknown.
  }
  return opened;
}

/**
 * Owner of the process at the other end of a TCP connection on this machine: "own" for our user or
 * the system, "other" for anybody else, also if Windows does not let us look.
 *
 * @returns null if no process has the connection; undefined if Windows cannot be queried
 */
export function windowsPeer(connection: ConnectionAddresses): "own" | "other" | null | undefined {
  const native = openWindows();
  if (native === null) return undefined;
  const table = tableOf(native, familyOf(connection));
  if (table === null) return undefined;
  const pid = pidInTable(table, connection);
  if (pid === null) return null;
  if (pid === process.pid) return "own";
  const owner = userOf(native, pid);
  return owner !== null && (owner === SYSTEM_SID || owner === userOf(native, process.pid))
    ? "own"
    : "other";
}

/** An address in the order of the network. */
function bytesOf(address: string): Buffer {
  const plain = address.replace(MAPPED, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return Buffer.from(plain.split(".").map(Number));
  const [head = "", tail] = plain.split("::");
  const words = (text: string) => text === "" ? [] : text.split(":");
  const [first, last] = [words(head), words(tail ?? "")];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: zeros }, () => "0"), ...last];
  return Buffer.from(all.map((word) => word.padStart(4, "0")).join(""), "hex");
}

function tableOf(native: Native, family: keyof typeof FAMILIES): Buffer | null {
  const size = Uint32Array.of(65_536);
  for (let tries = 0; tries < TRIES_MAX && size[0]! <= TABLE_BYTES_MAX; tries++) {
    const table = Buffer.alloc(size[0]!);
    const failure = native.GetExtendedTcpTable!(
      table,
      size,
      0,
      FAMILIES[family],
      TCP_TABLE_OWNER_PID_ALL,
      0,
    );
    if (failure === 0) return table;
    if (failure !== ERROR_INSUFFICIENT_BUFFER) return null;
  }
  return null;
}

/** The SID of the user of a process, as hexadecimal digits; null if Windows does not reveal it. */
function userOf(native: Native, pid: number): string | null {
  const { OpenProcess, OpenProcessToken, GetTokenInformation, CloseHandle } = native;
  const handle = OpenProcess!(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
  if (!handle) return null;
  const token = new BigUint64Array(1);
  try {
    if (OpenProcessToken!(handle, TOKEN_QUERY, token) === 0) return null;
    const user = Buffer.alloc(TOKEN_USER_BYTES);
    const length = new Uint32Array(1);
    const isKnown = GetTokenInformation!(
      Number(token[0]),
      TOKEN_USER,
      user,
      user.length,
      length,
    );
    if (isKnown === 0) return null;
    // Its last part has four bytes for each number, and contains their count.
    const sid = user.subarray(TOKEN_USER_HEAD_BYTES);
    return sid.toString("hex", 0, 8 + 4 * sid[1]!);
  } finally {
    if (token[0] !== 0n) CloseHandle!(Number(token[0]));
    CloseHandle!(handle);
  }
}
