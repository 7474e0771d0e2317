import { orElse } from "../../core/or_else.ts";
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { GRPC_PORT_DEFAULT, isLoopback } from "../../core/address.ts";
import { messageOf } from "../../core/errors.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { findDistrust } from "../../platform/files/trusted_path.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import type { ContextValues } from "./contexts_file.ts";

/** The daemon according to a folder's configuration. */
export type FolderDaemon =
  | { readonly file: string; readonly values: ContextValues }
  /** Reason for ignoring it. */
  | { readonly file: string; readonly problem: string };

const FILE = "config.toml";
const FILE_BYTES_MAX = 1024 * 1024;
/** A token as a daemon makes it. Other text is never sent, from any file. */
const TOKEN = /^[\w-]{43}$/;
const TOKEN_FILE_BYTES_MAX = 4_096;
/** Addresses of a listener that the loopback address reaches, too. */
const EVERYWHERE = new Set(["", "0.0.0.0", "::", "[::]"]);

/** Keys and tables of a configuration. Files of other programs have others. */
export const CONFIG_KEYS: readonly string[] = [
  "timezone",
  "modules",
  "include",
  "log",
  "node",
  "store",
  "server",
  "heartbeat",
  "worker",
  "defaults",
  "jobs",
  "notices",
];

/**
 * Address of a folder's daemon, by its `config.toml`. The folder may come from a stranger, like a
 * repository, so this decides only between daemons of this machine: see docs/security.md.
 *
 * @returns null if the folder has no such file
 */
export async function folderDaemon(folder: string): Promise<FolderDaemon | null> {
  const file = join(folder, FILE);
  if (!existsSync(file)) return null;
  // The owner of the file is unknown there.
  if (isWindows()) {
    return { file, problem: "on Windows, the configuration of a folder is not used" };
  }
  const distrust = findDistrust(file, { isLinkAllowed: true });
  if (distrust !== null) {
    return { file, problem: `"${distrust.path}" is not trusted: ${distrust.problem}` };
  }
  let table: Readonly<Record<string, unknown>>;
  try {
    const found = readRegularFile(file, FILE_BYTES_MAX);
    if (found === null) return { file, problem: `it has more than ${FILE_BYTES_MAX} bytes` };
    table = (await import("../../config/toml/plain_toml.ts")).parsePlainToml(found.bytes);
  } catch (error) {
    return { file, problem: messageOf(error) };
  }
  const foreign = Object.keys(table).find((key) => !CONFIG_KEYS.includes(key));
  if (foreign !== undefined) {
    return { file, problem: `"${foreign}" is not a key of jobctl, so it may be another program's` };
  }
  return { file, ...readServer(table.server ?? {}, file) };
}

function readServer(
  server: unknown,
  file: string,
): { readonly values: ContextValues } | { readonly problem: string } {
  if (!isObject(server)) return { problem: "server is not a table" };
  const { host = "127.0.0.1", port = GRPC_PORT_DEFAULT, socket = "auto", auth } = server;
  for (const [name, value] of Object.entries({ host, socket })) {
    if (typeof value !== "string" || value.includes("${")) {
      return { problem: `server.${name} is not a plain text` };
    }
  }
  const path = socketFile(String(socket), file);
  const isPortOff = port === "";
  if (path !== null && (isPortOff || isSocket(path))) return { values: { socket: path } };
  if (isPortOff) {
    if (socket === "") return { problem: "server.port and server.socket are off" };
    // Its socket is named after the default port.
    return { values: { host: "localhost", port: String(GRPC_PORT_DEFAULT) } };
  }
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return { problem: `server.port is not a port from 1 to 65535` };
  }
  if (!isLoopback(String(host)) && !EVERYWHERE.has(String(host))) {
    return { problem: `server.host "${host}" is not an address of this machine alone` };
  }
  const address = { host: isLoopback(String(host)) ? String(host) : "localhost" };
  const token = socket === "" ? folderToken(auth, file) : null;
  return {
    values: {
      ...address,
      port: String(port),
      // The library first tries addresses for daemons without a path.
      ...(socket === "auto" ? {} : { socket: "none" }),
      ...(token === null ? {} : { "token-file": token }),
    },
  };
}

/** The socket that the configuration names; null for the port's socket, or none. */
function socketFile(socket: string, file: string): string | null {
  if (socket === "auto" || socket === "") return null;
  return isAbsolute(socket) ? socket : resolve(dirname(file), socket);
}

function isSocket(path: string): boolean {
  // What this user may not look at is none that this user may open.
  return orElse(() => statSync(path).isSocket(), false);
}

/**
 * The daemon's token file, if it is valid: below the folder, private, and with a token in a
 * daemon's form. A configuration from elsewhere could name any file of this user.
 */
function folderToken(auth: unknown, file: string): string | null {
  const given = isObject(auth) ? auth.token_file : undefined;
  if (typeof given !== "string" || given.includes("${")) return null;
  const folder = dirname(file);
  const path = resolve(folder, given);
  if (findDistrust(path) !== null) return null;
  try {
    // A link in the folder may lead elsewhere.
    if (!realpathSync(path).startsWith(join(realpathSync(folder), "/"))) return null;
    const found = readRegularFile(path, TOKEN_FILE_BYTES_MAX);
    return found !== null && TOKEN.test(found.bytes.toString("utf8").trim()) ? path : null;
  } catch {
    return null;
  }
}
