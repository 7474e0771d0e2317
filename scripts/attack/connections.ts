import { connect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import type { Running } from "./attack.ts";

/** Wait for a time, or until the attack ends. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Resolves when the attack's time is over. */
export function whenOver(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** How a number of connections is used. */
export interface FloodOptions {
  /** Open at once; closed ones are reopened. */
  readonly connections: number;
  readonly to: NetConnectOpts;
  /** The bytes to send over the connection with this number, as fast as they are accepted. */
  readonly script: (connection: number) => Iterable<Buffer>;
  /** False to leave responses unread; default true. */
  readonly reads?: boolean;
  /**
   * What to do after sending everything: wait for the peer to close the connection (the default),
   * or close it.
   */
  readonly after?: "hold" | "close" | "reset";
  /** Most connections in total. */
  readonly total?: number;
  /** How long to leave the connection open after sending, in ms. */
  readonly lingerMs?: number;
  /** Time between two chunks, in ms; none by default. */
  readonly everyMs?: number;
}

const AGAIN_MS = 5;
const REFUSED_MS = 50;
/** Chunks after which the other connections get their turn. */
const TURN = 4;

/** Open connections and run the script on each, until the attack ends or the total is reached. */
export async function flood(running: Running, options: FloodOptions): Promise<void> {
  const { signal, scale } = running;
  const slots = Math.max(1, Math.round(options.connections * scale));
  const total = options.total === undefined
    ? Infinity
    : Math.max(1, Math.round(options.total * scale));
  let made = 0;
  const slot = async (place: number) => {
    // Not all at once: the peer's backlog is short.
    await pause(Math.floor(place / 50) * 10, signal);
    while (!signal.aborted && made < total) {
      made += 1;
      const wasOpen = await useConnection(running, options, place);
      await pause(wasOpen ? AGAIN_MS : REFUSED_MS, signal);
    }
  };
  await Promise.all(Array.from({ length: slots }, (_, place) => slot(place)));
}

/** One connection, from start to end; returns whether it was opened. */
async function useConnection(
  running: Running,
  options: FloodOptions,
  place: number,
): Promise<boolean> {
  const { signal, count } = running;
  const socket = connect(options.to);
  const end = () => socket.destroy();
  signal.addEventListener("abort", end);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => socket.destroy());
  if (options.reads ?? true) socket.on("data", () => {});
  else socket.pause();
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    void closed.then(() => resolve(false));
  });
  if (isOpen) {
    count("connections");
    await send(running, socket, { ...options, place, closed });
    if (options.after !== undefined && options.after !== "hold" && !socket.destroyed) {
      await Promise.race([pause(options.lingerMs ?? 0, signal), closed]);
      if (options.after === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
    await closed;
  }
  signal.removeEventListener("abort", end);
  return isOpen;
}

async function send(
  { signal, count }: Running,
  socket: Socket,
  { script, everyMs, place, closed }: FloodOptions & {
    readonly place: number;
    readonly closed: Promise<void>;
  },
): Promise<void> {
  let pieces = 0;
  for (const bytes of script(place)) {
    if (signal.aborted || socket.destroyed) return;
    count("bytes", bytes.length);
    if (!socket.write(bytes)) {
      await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
    } else if (everyMs !== undefined) await Promise.race([pause(everyMs, signal), closed]);
    else if (++pieces % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
