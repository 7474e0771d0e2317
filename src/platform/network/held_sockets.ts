import { Buffer } from "node:buffer";
import { closeSync } from "node:fs";
import process from "node:process";
import { hostPort, isLoopback } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import { lazyLibc } from "../system/libc.ts";

/** The listeners of a daemon on TCP. */
export type ListenerName = "grpc" | "http";

/** The address of a listener, as configured. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** An open socket that listens on TCP. */
interface Held {
  readonly descriptor: number;
  /** Its listener and address; null for an unused one from the service manager. */
  owner: { readonly name: ListenerName; readonly address: string } | null;
}

/** Sockets that the next program of this process needs to listen at once. */
export interface HandedOver {
  readonly descriptors: readonly number[];
  readonly env: Readonly<Record<string, string>>;
}

/** Names the sockets for a program that this one is replaced by: `grpc=17=127.0.0.1:59051`. */
const VARIABLE = "JOBCTL_LISTENERS";
/** The first descriptor that systemd passes, and the most that we look at. */
const FIRST_PASSED = 3;
const PASSED_MAX = 16;

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const AF_INET = 2;
const AF_INET6 = 10;
/** Size of `struct sockaddr_in6`, the larger one. */
const ADDRESS_BYTES = 28;

const openLibc = lazyLibc("fcntl", "getsockname", "getsockopt");

/**
 * Sockets that stay open while the listeners that use them end and start: in a restart of their
 * thread, in a restart or an upgrade of the daemon in the same process, and from one daemon to the
 * next if systemd holds them. Meanwhile no other process can take their ports, and connections
 * wait. Only under Bun on Linux with glibc; elsewhere it holds nothing.
 */
export class HeldSockets {
  readonly #held: Held[] = [];
  /** True if another program ran in this process before, and left its listeners to this one. */
  readonly isHandedOver: boolean;
  /** Why passed sockets are not used; null if they are. */
  readonly problem: string | null = null;

  /**
   * Take the sockets that the environment names: from the program before this one in the same
   * process, or else from systemd.
   *
   * @param env is changed, so that no other process takes them
   */
  constructor(env: Record<string, string | undefined> = {}) {
    const { [VARIABLE]: own, LISTEN_FDS: count, LISTEN_PID: pid } = env;
    delete env[VARIABLE];
    this.isHandedOver = own !== undefined;
    if (own !== undefined) {
      for (const one of own.split(",")) this.#takeOwn(one);
      return;
    }
    if (count === undefined || pid !== String(process.pid) || !/^\d{1,3}$/.test(count)) return;
    if (openLibc() === null) {
      this.problem = "Cannot use the sockets of systemd: only the program for Linux with glibc can";
      return;
    }
    for (let at = 0; at < Math.min(Number(count), PASSED_MAX); at++) {
      const descriptor = FIRST_PASSED + at;
      setCloseOnExec(descriptor, true);
      if (listensAt(descriptor) !== null) this.#held.push({ descriptor, owner: null });
    }
  }

  /**
   * The socket for a listener, which must use a {@link duplicateSocket duplicate}; null if it has
   * to open one. A socket for another address of the listener is closed.
   *
   * @throws JobError `invalid_config` if systemd listens where the configuration does not
   */
  lend(name: ListenerName, wanted: ListenAddress): number | null {
    const address = hostPort(wanted.host, wanted.port);
    this.drop(name, address);
    const held = this.#of(name) ?? this.#passed(name, wanted);
    if (held === null) return null;
    held.owner = { name, address };
    return held.descriptor;
  }

  /** Hold the socket of a listener, too, from now on. */
  keep(name: ListenerName, { host, port }: ListenAddress, descriptor: number): void {
    if (this.#of(name) !== null || openLibc() === null) return;
    const held = duplicateSocket(descriptor);
    if (held === null) return;
    // The listener may have closed its own meanwhile.
    if (listensAt(held) === null) return closeSync(held);
    this.#held.push({ descriptor: held, owner: { name, address: hostPort(host, port) } });
  }

  /** Close the socket of a listener, unless it is for this address. */
  drop(name: ListenerName, unless: string | null = null): void {
    this.#close(({ owner }) => owner?.name === name && owner.address !== unless);
  }

  /** Close passed sockets that no listener took. Returns the addresses. */
  dropUnused(): string[] {
    return this.#close(({ owner }) => owner === null);
  }

  /** Close all of them: the daemon ends. */
  close(): void {
    this.#close(() => true);
  }

  /** All of them, for the program that replaces this one. */
  handOver(): HandedOver {
    const named = this.#held.flatMap(({ descriptor, owner }) =>
      owner === null ? [] : [{ descriptor, ...owner }]
    );
    const words = named.map(({ name, descriptor, address }) => `${name}=${descriptor}=${address}`);
    const descriptors = named.map(({ descriptor }) => descriptor);
    return { descriptors, env: { [VARIABLE]: words.join(",") } };
  }

  #of(name: ListenerName): Held | null {
    return this.#held.find(({ owner }) => owner?.name === name) ?? null;
  }

  #takeOwn(text: string): void {
    const match = /^(grpc|http)=(\d{1,6})=(.+)$/.exec(text);
    if (match === null || openLibc() === null) return;
    const [name, descriptor, address] = [match[1] as ListenerName, Number(match[2]), match[3]!];
    if (descriptor < FIRST_PASSED || listensAt(descriptor) === null) return;
    setCloseOnExec(descriptor, true);
    this.#held.push({ descriptor, owner: { name, address } });
  }

  /** The socket of systemd at a port. */
  #passed(name: ListenerName, { host, port }: ListenAddress): Held | null {
    if (port === 0) return null;
    for (const held of this.#held) {
      if (held.owner !== null) continue;
      const found = listensAt(held.descriptor);
      if (found?.port !== port) continue;
      if (!isLoopback(host) || isLoopback(found.host)) return held;
      const key = name === "grpc" ? "server.host" : "server.http";
      const at = hostPort(found.host, found.port);
      throw new JobError(
        "invalid_config",
        `Cannot use the socket of systemd at ${at}: ${key} has "${host}", which other machines do not reach`,
        { hint: `Let ListenStream= of the socket unit and ${key} name the same address` },
      );
    }
    return null;
  }

  #close(isMeant: (held: Held) => boolean): string[] {
    const closed: string[] = [];
    for (const held of this.#held.filter(isMeant)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      const { host = "", port = 0 } = listensAt(held.descriptor) ?? {};
      closed.push(hostPort(host, port));
      closeSync(held.descriptor);
    }
    return closed;
  }
}

/** Let a descriptor be closed, or left open, when a program is executed. */
export function setCloseOnExec(descriptor: number, isClosed: boolean): void {
  openLibc()?.symbols.fcntl(descriptor, F_SETFD, isClosed ? FD_CLOEXEC : 0);
}

/** Another descriptor of the same socket; null if there is no such socket. */
export function duplicateSocket(descriptor: number): number | null {
  const found = openLibc()?.symbols.fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_PASSED) ?? -1;
  return found < 0 ? null : found;
}

/** TCP address on which a descriptor listens; null otherwise. */
function listensAt(descriptor: number): ListenAddress | null {
  const symbols = openLibc()?.symbols;
  if (symbols === undefined) return null;
  const isListening = new Int32Array(1);
  const size = Uint32Array.of(4);
  const { getsockopt, getsockname } = symbols;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, isListening, size) !== 0) return null;
  const address = Buffer.alloc(ADDRESS_BYTES);
  const length = Uint32Array.of(ADDRESS_BYTES);
  if (isListening[0] !== 1 || getsockname(descriptor, address, length) !== 0) return null;
  // The family is a number in the order of the machine, and all of ours are little-endian.
  const family = address.readUInt16LE(0);
  const port = address.readUInt16BE(2);
  if (family === AF_INET) return { host: [...address.subarray(4, 8)].join("."), port };
  if (family !== AF_INET6) return null;
  const words = address.subarray(8, 24).toString("hex").replace(/(....)(?!$)/g, "$1:");
  return { host: new URL(`http://[${words}]`).hostname.slice(1, -1), port };
}
