import { connect } from "node:net";
import type { Call } from "./in_turns.ts";

const HEAD_END = "\r\n\r\n";
/** Servers close connections that are idle for longer, node:http after 5 seconds. */
const IDLE_MS_MAX = 3_000;
const LENGTH = /\r\ncontent-length: (\d+)/i;

/** A request that is sent again and again. */
export interface KeepAliveRequest {
  readonly port: number;
  readonly path: string;
  /** JSON text in ASCII. */
  readonly body: string;
  /** The status of every response. */
  readonly status: number;
}

/** A connection for one request at a time. */
interface Connection {
  usedAt: number;
  send(text: string): Promise<unknown>;
  close(): void;
}

/**
 * Posts JSON over connections that stay open, one for each concurrent call. The pool of `fetch`
 * keeps 64 for all servers together: with more callers it opens new ones all the time.
 */
export function keepAliveCall({ port, path, body, status }: KeepAliveRequest): Call {
  const free: Connection[] = [];
  const text = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}${HEAD_END}${body}`;
  return async () => {
    const connection = takeFrom(free) ?? open(port, status);
    const value = await connection.send(text);
    connection.usedAt = performance.now();
    free.push(connection);
    return value;
  };
}

/** The connection that was used last; undefined if the servers may have closed it. */
function takeFrom(free: Connection[]): Connection | undefined {
  const connection = free.pop();
  if (connection === undefined) return undefined;
  if (performance.now() - connection.usedAt < IDLE_MS_MAX) return connection;
  for (const { close } of [connection, ...free.splice(0)]) close();
  return undefined;
}

function open(port: number, status: number): Connection {
  const socket = connect({ port, host: "127.0.0.1" }).setEncoding("latin1").setNoDelay();
  let received = "";
  let response = Promise.withResolvers<unknown>();
  socket.on("data", (piece: string) => {
    received += piece;
    const body = bodyOf(received);
    if (body === null) return;
    if (received.startsWith(`HTTP/1.1 ${status} `)) response.resolve(JSON.parse(body));
    else response.reject(new Error(received));
    received = "";
  });
  // A server that closes connections would be measured while it accepts new ones.
  socket.on("close", () => response.reject(new Error("The server closed a connection")));
  return {
    usedAt: 0,
    close: () => socket.destroy(),
    send(text) {
      response = Promise.withResolvers();
      socket.write(text);
      return response.promise;
    },
  };
}

/** The body of a response; null while a part is missing. */
function bodyOf(received: string): string | null {
  const end = received.indexOf(HEAD_END);
  const length = end === -1 ? null : LENGTH.exec(received);
  if (length === null) return null;
  const body = received.slice(end + HEAD_END.length);
  return body.length < Number(length[1]) ? null : body;
}
