import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";

/** What a call made of raw bytes was answered. */
export interface RawAnswer {
  /** The gRPC status; −1 when the stream ended without one. */
  readonly status: number;
  readonly message: string;
  readonly body: Buffer;
}

/** A message with the five bytes before it. */
export function framed(
  message: Uint8Array,
  options: { compressed?: boolean; length?: number } = {},
) {
  const head = Buffer.alloc(5);
  head.writeUInt8(options.compressed ? 1 : 0, 0);
  head.writeUInt32BE(options.length ?? message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** An HTTP/2 session without a gRPC library. */
export function rawSession(port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  return session;
}

/** Make one call whose body is exactly `body`. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const chunks: Buffer[] = [];
    let status = -1;
    let message = "";
    const read = (from: IncomingHttpHeaders) => {
      if (from["grpc-status"] === undefined) return;
      status = Number(from["grpc-status"]);
      message = decodeURIComponent(String(from["grpc-message"] ?? ""));
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => {});
    stream.on("close", () => resolve({ status, message, body: Buffer.concat(chunks) }));
    stream.end(body);
  });
}

/** A TCP connection that only sends what it is told, and says when it is closed. */
export function rawSocket(
  port: number,
): { readonly socket: Socket; readonly closed: Promise<void> } {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed };
}

/** What an HTTP/2 connection begins with: preface and empty settings. */
export const HTTP2_START = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  http2Frame(4, 0, 0, Buffer.alloc(0)),
]);

/** One HTTP/2 frame. */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/**
 * A HEADERS frame (type 1) that begins a call and leaves its stream open, without Huffman codes or
 * indexes.
 */
export function http2Call(stream: number, path: string): Buffer {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    "te": "trailers",
  };
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const block = Object.entries(fields).map(([name, value]) =>
    Buffer.concat([Buffer.from([0]), text(name), text(value)])
  );
  return http2Frame(1, 4, stream, Buffer.concat(block));
}
