import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { lazyLibc } from "../system/libc.ts";

const AF_UNIX = 1;
/** SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC: nothing that we start has it, and it never blocks. */
const DATAGRAM = 2 | 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;
/** Longest path of a socket, in bytes. */
const PATH_BYTES_MAX = 107;
/** Most messages that wait for a slow receiver, and time limit of each. */
const WAITING_MAX = 32;
const TRY_EVERY_MS = 100;
const TRIES_MAX = 50;
/** Paths of systemd's program for runtimes without datagrams of Unix sockets. */
const PROGRAMS = ["/usr/bin/systemd-notify", "/bin/systemd-notify"];
const PROGRAM_MS_MAX = 5_000;

/** Variables by which a service manager addresses one process; its children do not get them. */
const SERVICE_VARIABLES: ReadonlySet<string> = new Set([
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "LISTEN_PID",
]);

/** True for a variable that must not be inherited, such as NOTIFY_SOCKET. */
export function isServiceVariable(name: string): boolean {
  return SERVICE_VARIABLES.has(name);
}

/** A way to the service manager that started this process, by the protocol of sd_notify(3). */
export interface ServiceSocket {
  /** Longest time between two pulses of the watchdog; null if there is no watchdog. */
  readonly watchdogMs: number | null;
  /**
   * Send assignments such as `READY=1`. Messages arrive in order. One that cannot be delivered
   * within seconds is dropped: a service works without its manager.
   */
  send(assignments: Readonly<Record<string, string>>): void;
  /** Resolves when nothing waits to be sent. */
  sent(): Promise<void>;
}

/** Sockets from an environment, for a daemon that starts again in the same process. */
const taken = new WeakMap<object, ServiceSocket>();

/**
 * Take NOTIFY_SOCKET and the variables of the watchdog from the environment: later processes do not
 * inherit them. A second call returns the same. Bun calls the C library; other runtimes run
 * `systemd-notify`, if it is installed.
 *
 * @param env is changed
 * @param onProblem gets a value that cannot be used
 * @returns null without NOTIFY_SOCKET, and on systems other than Linux
 */
export function takeServiceSocket(
  env: Record<string, string | undefined>,
  onProblem: (problem: string) => void,
): ServiceSocket | null {
  const known = taken.get(env);
  if (known !== undefined) return known;
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
  for (const name of SERVICE_VARIABLES) delete env[name];
  if (path === undefined || path === "" || process.platform !== "linux") return null;
  const address = addressOf(path);
  if (address === null) {
    onProblem(`NOTIFY_SOCKET is neither a path nor "@" and a name of at most 106 bytes`);
    return null;
  }
  const isOurs = pid === undefined || pid === String(process.pid);
  const watchdogMs = isOurs && /^[1-9]\d{0,15}$/.test(usec ?? "") ? Number(usec) / 1_000 : null;
  const transport = nativeTransport(address) ?? programTransport(path);
  if (transport !== null) {
    const socket = { watchdogMs, ...queueOf(transport) };
    taken.set(env, socket);
    return socket;
  }
  onProblem("systemd-notify is not installed, and this runtime needs it");
  return null;
}

/** Sends one message. @returns false if it may be tried again */
type Transport = (assignments: Readonly<Record<string, string>>) => boolean | Promise<boolean>;

/** A socket's address in the kernel's form; null if impossible. */
function addressOf(path: string): Uint8Array | null {
  const name = Buffer.from(path, "utf8");
  const isPath = path.startsWith("/");
  if (!isPath && !path.startsWith("@") || name.length < 2 || name.length > PATH_BYTES_MAX) {
    return null;
  }
  if (path.includes("\0")) return null;
  const family = Buffer.alloc(2);
  // The family is a number in the order of the machine, and all of ours are little-endian.
  family.writeUInt16LE(AF_UNIX);
  // "@" replaces the NUL byte of an abstract name, whose length the address contains.
  return isPath
    ? Buffer.concat([family, name, Buffer.alloc(1)])
    : Buffer.concat([family, Buffer.alloc(1), name.subarray(1)]);
}

const openLibc = lazyLibc("socket", "sendto", "clock_gettime");

function nativeTransport(address: Uint8Array): Transport | null {
  const symbols = openLibc()?.symbols;
  if (symbols === undefined) return null;
  const descriptor = symbols.socket(AF_UNIX, DATAGRAM, 0);
  if (descriptor < 0) return null;
  return (assignments) => {
    const values = { ...assignments };
    if ("RELOADING" in values) values.MONOTONIC_USEC = String(monotonicUsec(symbols.clock_gettime));
    const body = Buffer.from(linesOf(values), "utf8");
    const { length } = address;
    return symbols.sendto(descriptor, body, body.length, MSG_NOSIGNAL, address, length) >= 0;
  };
}

function monotonicUsec(clockGettime: (clock: number, time: BigInt64Array) => number): bigint {
  const time = new BigInt64Array(2);
  clockGettime(CLOCK_MONOTONIC, time);
  return time[0]! * 1_000_000n + time[1]! / 1_000n;
}

function programTransport(path: string): Transport | null {
  const program = PROGRAMS.find((one) => existsSync(one));
  if (program === undefined) return null;
  return (assignments) => {
    const { RELOADING, ...others } = assignments;
    const options = RELOADING === undefined ? [] : ["--reloading"];
    const given = Object.entries(others).map(([name, value]) => `${name}=${oneLine(value)}`);
    return new Promise((resolve) => {
      const child = spawn(program, [...options, ...given], {
        env: { NOTIFY_SOCKET: path },
        cwd: "/",
        stdio: "ignore",
        timeout: PROGRAM_MS_MAX,
        killSignal: "SIGKILL",
      });
      // It retries, and if it cannot deliver we cannot either.
      child.once("error", () => resolve(true));
      child.once("close", () => resolve(true));
    });
  };
}

function linesOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values).map(([name, value]) => `${name}=${oneLine(value)}\n`).join("");
}

/** A value cannot begin another assignment. */
function oneLine(value: string): string {
  return value.replace(/\p{Cc}+/gu, " ");
}

function queueOf(transport: Transport): Pick<ServiceSocket, "send" | "sent"> {
  const waiting: Readonly<Record<string, string>>[] = [];
  let sending: Promise<void> | null = null;
  const sendAll = async () => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      for (let tries = 1; !await transport(next) && tries < TRIES_MAX; tries++) {
        await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
      }
      waiting.shift();
    }
    sending = null;
  };
  return {
    send(assignments) {
      if (waiting.length >= WAITING_MAX) return;
      waiting.push(assignments);
      sending ??= sendAll();
    },
    sent: () => sending ?? Promise.resolve(),
  };
}
