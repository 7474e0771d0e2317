import { HTTP2_START, http2Frame } from "../../test/support/raw_grpc.ts";

/** HTTP/2 frame types. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames. */
export const FLAG = { endStream: 1, endHeaders: 4 } as const;

/** A frame whose stream is set later. */
export interface FrameShape {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** The four bytes of a number. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Frames of consecutive streams with odd ids starting at `from`, `perChunk` streams per chunk. */
export function* streams(
  frames: readonly FrameShape[],
  { perChunk = 100, from = 1, count = Infinity } = {},
): Generator<Buffer> {
  const one = Buffer.concat(frames.map((f) => http2Frame(f.type, f.flags, 0, f.payload)));
  const offsets: number[] = [];
  let offset = 0;
  for (const { payload } of frames) {
    offsets.push(offset + 5);
    offset += 9 + payload.byteLength;
  }
  let id = from;
  for (let left = count; left > 0; left -= perChunk) {
    const many = Math.min(perChunk, left);
    const chunk = Buffer.alloc(one.length * many);
    for (let place = 0; place < many; place += 1, id += 2) {
      one.copy(chunk, place * one.length);
      for (const at of offsets) chunk.writeUInt32BE(id, place * one.length + at);
    }
    yield chunk;
  }
}

/** The same bytes forever. */
export function* endlessly(bytes: Buffer): Generator<Buffer> {
  for (;;) yield bytes;
}

/** One frame many times over. */
export function repeated(frame: Buffer, bytes = 16_384): Buffer {
  return Buffer.concat(Array(Math.max(1, Math.floor(bytes / frame.length))).fill(frame));
}

function hpackNumber(value: number, bits: number, first: number): Buffer {
  const max = (1 << bits) - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(rest % 128 | 128);
  return Buffer.from([...bytes, rest]);
}

function hpackText(text: string): Buffer {
  return Buffer.concat([hpackNumber(text.length, 7, 0), Buffer.from(text, "latin1")]);
}

/** A header with its name and value as text; `isKept` puts it into the peer's dynamic table. */
export function hpackLiteral(name: string, value: string, isKept = false): Buffer {
  return Buffer.concat([Buffer.from([isKept ? 0x40 : 0]), hpackText(name), hpackText(value)]);
}

/** A reference to the header that was put into the dynamic table `age` headers ago. */
export function hpackReference(age: number): Buffer {
  return hpackNumber(62 + age, 7, 0x80);
}

/** The headers of a call. */
export interface CallHeaders {
  /** For the first call of a connection: adds them to the peer's table. */
  readonly first: Buffer;
  /** For later calls: one byte per header. */
  readonly again: Buffer;
  /** In full, without adding to the table. */
  readonly whole: Buffer;
}

/** Encode the headers of a gRPC call. */
export function callHeaders(method: string, token: string | null = null): CallHeaders {
  const fields: [string, string][] = [
    [":path", `/job.v1.JobService/${method}`],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...(token === null ? [] : [["authorization", `Bearer ${token}`] as [string, string]]),
  ];
  // :method POST and :scheme http are in the static table.
  const common = Buffer.from([0x83, 0x86]);
  const block = (isKept: boolean) =>
    Buffer.concat([common, ...fields.map(([name, value]) => hpackLiteral(name, value, isKept))]);
  const references = fields.map((_, place) => hpackReference(fields.length - 1 - place));
  return {
    first: block(true),
    again: Buffer.concat([common, ...references]),
    whole: block(false),
  };
}

/** Headers that leave their stream open. */
export function headersShape(block: Uint8Array): FrameShape {
  return { type: FRAME.headers, flags: FLAG.endHeaders, payload: block };
}

/** A message that ends its stream. */
export function messageShape(message: Uint8Array): FrameShape {
  return { type: FRAME.data, flags: FLAG.endStream, payload: message };
}

/** The start of a connection that accepts as much as the peer will ever send. */
export const GREEDY_START = Buffer.concat([
  HTTP2_START.subarray(0, 24),
  // The largest window of a stream.
  http2Frame(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(0x7fffffff)])),
  http2Frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff - 65_535)),
]);
