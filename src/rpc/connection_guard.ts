import type { Clock } from "../platform/clock.ts";
import { HeaderBlock } from "./header_block.ts";

/** What a client sends before HTTP/2 begins, RFC 9113 3.4, in bytes. */
const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
/** Longest frame that HTTP/2 allows unless the server says more, and ours does not. */
const FRAME_BYTES_MAX = 16_384;
const RESET_FRAME_BYTES = FRAME_HEADER_BYTES + 4;

/** Types of frames, RFC 9113 6. */
const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const GOAWAY = 0x7;
const WINDOW_UPDATE = 0x8;
const CONTINUATION = 0x9;

const END_HEADERS = 0x4;
/** Payload of a GOAWAY frame without a text. */
const GOAWAY_BYTES = 8;
/** Error code of a peer that makes too much work. */
const ENHANCE_YOUR_CALM = 0xb;

/**
 * How many of something a connection may do at once, and how many more each second after that.
 *
 * A client of gRPC sends a handful of PING and SETTINGS, one reset for each call that it gives up, and a WINDOW_UPDATE for
 * every few kilobytes that it reads.
 */
const ALLOWANCES = {
  /** Calls of a connection on which none was let in yet. */
  call: { atOnce: 50, perSecond: 5 },
  /** Streams that either side resets. */
  reset: { atOnce: 200, perSecond: 50 },
  windowUpdate: { atOnce: 10_000, perSecond: 10_000 },
  /** Everything else that carries no data: SETTINGS, PING, PRIORITY, empty DATA and unknown types. */
  control: { atOnce: 200, perSecond: 50 },
} as const;

/** Refused calls after which a connection is closed. */
const REFUSALS_MAX = 10;
/** Bytes of a connection on which no call was let in yet: more than the headers and the message of a first call. */
const STRANGER_BYTES_MAX = 256 * 1_024;

type Allowance = keyof typeof ALLOWANCES;

const COMPLAINTS: Readonly<Record<Allowance, string>> = {
  call: "too many calls before one was let in",
  reset: "too many streams were reset",
  windowUpdate: "too many WINDOW_UPDATE frames",
  control: "too many frames without data",
};

/** A counter that fills up again with time. */
class Bucket {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #perSecond: number;
  #left: number;
  #filledMs: number;

  constructor(clock: Clock, { atOnce, perSecond }: typeof ALLOWANCES[Allowance]) {
    this.#clock = clock;
    this.#atOnce = this.#left = atOnce;
    this.#perSecond = perSecond;
    this.#filledMs = clock.now().monotonicMs;
  }

  /** Whether there was one left. */
  take(): boolean {
    if (this.#left < 1) this.#fill();
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  #fill(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const more = (nowMs - this.#filledMs) / 1_000 * this.#perSecond;
    this.#left = Math.min(this.#atOnce, this.#left + more);
    this.#filledMs = nowMs;
  }
}

/**
 * Watches the frames of one HTTP/2 connection, and says when it does what only an attack does: floods of frames without data,
 * of resets, of refused calls, and headers that stand for much more than they are.
 */
export class ConnectionGuard {
  readonly #clock: Clock;
  readonly #buckets = new Map<Allowance, Bucket>();
  #isAdmitted: boolean;
  #refusalCount = 0;
  #byteCount = 0;
  #prefaceLeft = PREFACE_BYTES;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerLength = 0;
  #payloadLeft = 0;
  /** The headers that are arriving; null between them. */
  #block: HeaderBlock | null = null;
  #isBlockPayload = false;
  #complaint: string | null = null;
  #lastStreamId = 0;
  #close: () => void = () => {};

  /** @param isAdmitted whether the client is known already, as over a Unix socket */
  constructor(clock: Clock, isAdmitted: boolean) {
    this.#clock = clock;
    this.#isAdmitted = isAdmitted;
  }

  /** What the client did that it must not; null while it behaves. */
  get complaint(): string | null {
    return this.#complaint;
  }

  /** A call of the client was let in. */
  admit(): void {
    this.#isAdmitted = true;
  }

  /** Whether a call of the client was let in. */
  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  /** A call of the client was refused for want of a token. */
  refuse(): void {
    this.#refusalCount += 1;
    if (this.#refusalCount >= REFUSALS_MAX) this.complain("too many refused calls");
  }

  /** The connection is to be closed, for a reason that the log tells. */
  complain(reason: string): void {
    if (this.#complaint !== null) return;
    this.#complaint = reason;
    this.#close();
  }

  /** Who closes the connection when the client misbehaves. */
  onComplaint(close: () => void): void {
    this.#close = close;
  }

  /** The frame that tells the client why its connection is closed: GOAWAY, RFC 9113 6.8. */
  farewell(): Uint8Array {
    const frame = new Uint8Array(FRAME_HEADER_BYTES + GOAWAY_BYTES);
    frame[2] = GOAWAY_BYTES;
    frame[3] = GOAWAY;
    const view = new DataView(frame.buffer);
    view.setUint32(FRAME_HEADER_BYTES, this.#lastStreamId);
    view.setUint32(FRAME_HEADER_BYTES + 4, ENHANCE_YOUR_CALM);
    return frame;
  }

  /** Bytes that the client sent, before anybody else reads them. */
  receive(bytes: Uint8Array): void {
    if (this.#complaint !== null) return;
    this.#byteCount += bytes.byteLength;
    if (!this.#isAdmitted && this.#byteCount > STRANGER_BYTES_MAX) {
      return this.complain("too much sent before a call was let in");
    }
    let offset = 0;
    while (offset < bytes.byteLength && this.#complaint === null) {
      offset = this.#step(bytes, offset);
    }
  }

  /** Bytes that are sent to the client: one frame, or a part of one. */
  send(bytes: Uint8Array): void {
    if (bytes.byteLength === RESET_FRAME_BYTES && bytes[3] === RST_STREAM) this.#use("reset");
  }

  #step(bytes: Uint8Array, offset: number): number {
    if (this.#prefaceLeft > 0) {
      const length = Math.min(this.#prefaceLeft, bytes.byteLength - offset);
      this.#prefaceLeft -= length;
      return offset + length;
    }
    if (this.#payloadLeft > 0) {
      const end = Math.min(offset + this.#payloadLeft, bytes.byteLength);
      if (this.#isBlockPayload) this.#readBlock(bytes.subarray(offset, end));
      this.#payloadLeft -= end - offset;
      if (this.#payloadLeft === 0) this.#endFrame();
      return end;
    }
    const length = Math.min(FRAME_HEADER_BYTES - this.#headerLength, bytes.byteLength - offset);
    for (let index = 0; index < length; index += 1) {
      this.#header[this.#headerLength + index] = bytes[offset + index]!;
    }
    this.#headerLength += length;
    if (this.#headerLength === FRAME_HEADER_BYTES) this.#beginFrame();
    return offset + length;
  }

  #beginFrame(): void {
    const [high, middle, low, type, flags] = this.#header as unknown as readonly number[];
    const length = high! << 16 | middle! << 8 | low!;
    this.#headerLength = 0;
    this.#payloadLeft = length;
    if (length > FRAME_BYTES_MAX) return this.complain("a frame that is too long");
    if (type === HEADERS) {
      if (!this.#isAdmitted) this.#use("call");
      this.#lastStreamId = new DataView(this.#header.buffer).getUint32(5) & 0x7fffffff;
      this.#block = new HeaderBlock(flags!);
    } else if (type === RST_STREAM) this.#use("reset");
    else if (type === WINDOW_UPDATE) this.#use("windowUpdate");
    else if (type === CONTINUATION) this.#use("control");
    else if (type !== DATA || length === 0) {
      // The empty DATA frame that ends a call is one for each call, and calls are counted.
      if (type !== DATA || (flags! & 1) === 0) this.#use("control");
    }
    this.#isBlockPayload = this.#block !== null && (type === HEADERS || type === CONTINUATION);
    if (this.#payloadLeft === 0) this.#endFrame();
  }

  #readBlock(bytes: Uint8Array): void {
    const problem = this.#block!.add(bytes);
    if (problem !== null) this.complain(problem);
  }

  #endFrame(): void {
    if (!this.#isBlockPayload) return;
    this.#isBlockPayload = false;
    if ((this.#header[4]! & END_HEADERS) !== 0) this.#block = null;
    else this.#block?.endFrame();
  }

  #use(allowance: Allowance): void {
    let bucket = this.#buckets.get(allowance);
    if (!bucket) {
      this.#buckets.set(allowance, bucket = new Bucket(this.#clock, ALLOWANCES[allowance]));
    }
    if (!bucket.take()) this.complain(COMPLAINTS[allowance]);
  }
}
