import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import type { Stats } from "node:fs";
import {
  type AddressInfo,
  createServer,
  type Server,
  type ServerOpts,
  type Socket,
} from "node:net";
import { dirname, join } from "node:path";
import { JobError } from "../../core/errors.ts";
import { groupId } from "../../platform/system/accounts.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import { duplicateSocket } from "../../platform/network/held_sockets.ts";
import { listenError, listening, listenOn } from "../../platform/network/listening.ts";
import { HANDSHAKE_MS, HANDSHAKES_MAX } from "../limits.ts";
import { checkFolder, isListening } from "../socket_path.ts";
import type { TlsMaterial } from "../../platform/network/tls.ts";

/** An open listener. */
export interface Listener {
  /** Stop accepting; open connections stay. */
  close(): void;
}

/** An open listener on TCP. */
export interface TcpListener extends Listener {
  readonly port: number;
  /** Its descriptor, for keeping it open; null if the runtime does not show it. */
  readonly descriptor: number | null;
}

/** The kernel's limit for the path of a Unix socket, without the final zero. */
const SOCKET_PATH_BYTES_MAX = 107;

/**
 * Listen on TCP; with TLS if `tls` is given. If that has a CA, clients must send a certificate.
 *
 * @throws JobError naming the address
 */
export async function listenTcp(
  options: {
    readonly host: string;
    readonly port: number;
    /** A socket that already listens there and stays open; null to open one. */
    readonly descriptor: number | null;
    readonly tls: TlsMaterial | null;
    /** The protocol's name in TLS. */
    readonly protocol: "h2" | "http/1.1";
    /** The configuration keys of the address. */
    readonly keys: string;
    /** Most concurrent connections, including ones in their TLS handshake; null for no limit. */
    readonly connectionsMax: number | null;
    readonly clock: Clock;
    readonly onConnection: (socket: Socket) => void;
  },
): Promise<TcpListener> {
  const { host, port, descriptor, tls, clock, protocol, keys } = options;
  const accept = (socket: Socket) => {
    // A reset by the peer is not our error.
    socket.on("error", () => socket.destroy());
    options.onConnection(socket);
  };
  // An HTTP/1.1 client may end its side before it has the response.
  const socketOptions = { noDelay: true, allowHalfOpen: protocol === "http/1.1" };
  const server = tls
    ? await createTls(tls, { clock, accept, protocol, socketOptions })
    : createServer(socketOptions, accept);
  const taken = descriptor === null ? null : duplicateSocket(descriptor);
  if (options.connectionsMax !== null) server.maxConnections = options.connectionsMax;
  try {
    if (taken === null) await listenOn(server, { host, port }, keys);
    else await listening(server, { fd: taken });
  } catch (error) {
    server.close();
    throw error;
  }
  const { fd } = (server as { _handle?: { readonly fd?: unknown } | null })._handle ?? {};
  return {
    port: (server.address() as AddressInfo).port,
    descriptor: typeof fd === "number" && fd >= 0 ? fd : null,
    close: () => void server.close(),
  };
}

/**
 * The TLS handshakes in progress. One that takes too long is ended, and so is the oldest one if
 * there are too many: an honest client needs milliseconds.
 */
class Handshakes {
  readonly #clock: Clock;
  /** By the peer's address: not every runtime keeps the socket object. */
  readonly #open = new Map<string, { readonly socket: Socket; readonly timer: Timer }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(socket: Socket): void {
    const peer = peerOf(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#forget(peer));
    const [oldest] = this.#open.values();
    if (oldest && this.#open.size >= HANDSHAKES_MAX) oldest.socket.destroy();
    const timer = this.#clock.timer(HANDSHAKE_MS, () => socket.destroy(), { unref: true });
    this.#open.set(peer, { socket, timer });
  }

  end(socket: Socket): void {
    this.#forget(peerOf(socket));
  }

  #forget(peer: string): void {
    this.#open.get(peer)?.timer.cancel();
    this.#open.delete(peer);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

async function createTls(
  tls: TlsMaterial,
  { clock, accept, protocol, socketOptions }: {
    readonly clock: Clock;
    readonly accept: (socket: Socket) => void;
    readonly protocol: string;
    readonly socketOptions: ServerOpts;
  },
): Promise<Server> {
  const handshakes = new Handshakes(clock);
  const { createServer: createTlsServer } = await import("node:tls");
  const server = createTlsServer({
    cert: tls.cert,
    key: tls.key,
    ALPNProtocols: [protocol],
    minVersion: "TLSv1.2",
    ...socketOptions,
    ...(tls.ca ? { ca: tls.ca, requestCert: true, rejectUnauthorized: true } : {}),
  }, (socket) => {
    handshakes.end(socket);
    accept(socket);
  });
  server.on("connection", (socket: Socket) => handshakes.begin(socket));
  // Otherwise a failed handshake leaves its connection open.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

/** Remove a dead daemon's socket file at `path`. @throws JobError `conflict` for anything else */
async function clearPath(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) {
    throw new JobError("conflict", `Cannot listen on ${path}: the file there is not a socket`, {
      hint: "Remove it, or choose another server.socket",
    });
  }
  if (await isListening(path)) {
    throw new JobError("conflict", `Cannot listen on ${path}: another daemon is listening there`, {
      hint: "Stop that daemon, or choose another server.port or server.socket",
    });
  }
  unlinkSync(path);
}

// Others may pass through the folder, but not list it. The socket's own mode limits who may use it.
const PASS = 0o011;

/** Create the private folder of the socket: nobody else may be able to replace it there. */
function prepareFolder(path: string, group: string | null, isRuntimeFolder: boolean): void {
  const folder = dirname(path);
  const mode = group === null ? 0o700 : 0o700 | PASS;
  const isMade = mkdirSync(folder, { recursive: true, mode }) !== undefined;
  checkFolder(folder, `Cannot listen on ${path}`, "Or choose another server.socket.");
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!isMade && found && group !== null && isRuntimeFolder && found.uid === process.getuid?.()) {
    chmodSync(folder, found.mode | PASS);
  }
}

function socketGroupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const id = groupId(group);
  if (id !== null) return id;
  throw new JobError("invalid_config", `Cannot use the group "${group}": no such group`, {
    hint: "Name a group of /etc/group, or its number, as server.socket_group",
    path: "server.socket_group",
  });
}

/**
 * Listen at `path` with the right mode and group from the start: the socket is created in a private
 * folder and moved when ready. A umask would affect the whole process.
 */
async function listenPrivately(server: Server, path: string, group: string | null): Promise<void> {
  const folder = mkdtempSync(join(dirname(path), ".s-"));
  const draft = join(folder, "s");
  try {
    await listening(server, { path: draft });
    if (group !== null) chownSync(draft, process.getuid?.() ?? 0, socketGroupId(group));
    chmodSync(draft, group === null ? 0o600 : 0o660);
    renameSync(draft, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Listen on a Unix socket that its owner may open, and the members of `group` if it is given.
 * Creates the folder. Replaces the socket file of a dead daemon, but not of a live one.
 *
 * @throws JobError naming the path
 */
export async function listenUnix(
  options: {
    readonly path: string;
    readonly group: string | null;
    /** True if the folder is the runtime folder, which is ours to open for a group. */
    readonly isRuntimeFolder: boolean;
    readonly connectionsMax: number;
    readonly onConnection: (socket: Socket) => void;
  },
): Promise<Listener> {
  const { path, group } = options;
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    throw new JobError(
      "invalid_config",
      `Cannot listen on ${path}: ${bytes} bytes, and a socket's path has at most ${SOCKET_PATH_BYTES_MAX}`,
      { hint: "Choose a shorter server.socket", path: "server.socket" },
    );
  }
  let count = 0;
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    // Calls are found by their connection's address, which these connections lack.
    Object.defineProperties(socket, {
      remoteAddress: { value: "unix" },
      remotePort: { value: count += 1 },
    });
    options.onConnection(socket);
  });
  server.maxConnections = options.connectionsMax;
  let own: Stats | undefined;
  try {
    prepareFolder(path, group, options.isRuntimeFolder);
    await clearPath(path);
    await listenPrivately(server, path, group);
    own = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    server.close();
    throw error instanceof JobError
      ? error
      : listenError(error, { address: path, key: "server.socket" });
  }
  return {
    close() {
      server.close();
      // Not every runtime removes the file. A newer one of another daemon is not ours.
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found && own && found.ino === own.ino) unlinkSync(path);
    },
  };
}
