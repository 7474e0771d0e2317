import type { Clock } from "../../platform/clock.ts";
import { FLAG, FRAME, type Frame, FrameReader } from "./frame_reader.ts";
import { HeaderBlock } from "./header_block.ts";
import { STREAMS_MAX } from "../limits.ts";

/** Length of the connection preface of HTTP/2, RFC 9113 3.4, in bytes. */
const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
/** Longest frame that HTTP/2 allows by default; our server does not raise it. */
const FRAME_BYTES_MAX = 16_384;
/** Payload of a GOAWAY frame without a text. */
const GOAWAY_BYTES = 8;
/** Error code for a peer that causes too much work (ENHANCE_YOUR_CALM). */
const ENHANCE_YOUR_CALM = 0xb;

/**
 * Allowances of a connection for a burst, and per second after that.
 *
 * A gRPC client sends a few SETTINGS, one reset for each call that it abandons, and a WINDOW_UPDATE
 * for every few kilobytes that it reads. Many also send a PING for data that they read, to measure
 * the bandwidth. So each message to the client allows one more PING and one more reset, like in
 * other gRPC servers.
 */
const ALLOWANCES = {
  /**
   * Calls of a connection before one is accepted. Calls that the client queued while it connected
   * arrive together: up to the limit of a connection.
   */
  call: { atOnce: STREAMS_MAX, perSecond: 5 },
  /** Bytes of a stranger's connection: enough for a first call, and a health check per second. */
  strangerByte: { atOnce: 256 * 1_024, perSecond: 1_024 },
  /** Streams reset by either side. */
  reset: { atOnce: 1_000, perSecond: 100 },
  windowUpdate: { atOnce: 10_000, perSecond: 10_000 },
  /** All other frames without data: SETTINGS, PING, PRIORITY, empty DATA and unknown types. */
  control: { atOnce: 200, perSecond: 50 },
} as const;

/** Number of refused calls after which a connection is closed. */
const REFUSALS_MAX = 10;

type Allowance = keyof typeof ALLOWANCES;

const COMPLAINTS: Readonly<Record<Allowance, string>> = {
  call: "too many calls before one was accepted",
  strangerByte: "too much data before a call was accepted",
  reset: "too many streams were reset",
  windowUpdate: "too many WINDOW_UPDATE frames",
  control: "too many frames without data",
};

/** A budget that refills over time. */
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

  /** Take some from the budget; returns false if not enough is left. */
  take(count: number): boolean {
    if (this.#left < count) this.#fill();
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  /** Return one to the budget. */
  giveBack(): void {
    this.#left = Math.min(this.#atOnce, this.#left + 1);
  }

  #fill(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const more = (nowMs - this.#filledMs) / 1_000 * this.#perSecond;
    this.#left = Math.min(this.#atOnce, this.#left + more);
    this.#filledMs = nowMs;
  }
}

/**
 * Watches the frames of one HTTP/2 connection and reports attacks: floods of frames without data,
 * of resets or of refused calls, and headers that expand far beyond their size.
 */
export class ConnectionGuard {
  readonly #clock: Clock;
  readonly #buckets = new Map<Allowance, Bucket>();
  #isAdmitted: boolean;
  #refusalCount = 0;
  readonly #received: FrameReader;
  readonly #sent: FrameReader;
  /** The header block being received; null between blocks. */
  #block: HeaderBlock | null = null;
  /** Bytes of the requests of the streams that are open. */
  readonly #requests = new Map<number, number>();
  #complaint: string | null = null;
  #lastStreamId = 0;
  #close: () => void = () => {};
  #onRequestBytes: (change: number) => void = () => {};
  #onQueuedBytes: (bytes: number) => void = () => {};

  /** @param isAdmitted true if the client is already known, as over a Unix socket */
  constructor(clock: Clock, isAdmitted: boolean) {
    this.#clock = clock;
    this.#isAdmitted = isAdmitted;
    this.#received = new FrameReader({
      begin: (frame) => this.#beginReceived(frame),
      payload: (frame, bytes) => this.#readPayload(frame, bytes),
      end: (frame) => this.#endReceived(frame),
    }, PREFACE_BYTES);
    this.#sent = new FrameReader({ begin: (frame) => this.#beginSent(frame) });
  }

  get complaint(): string | null {
    return this.#complaint;
  }

  admit(): void {
    this.#isAdmitted = true;
  }

  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  refuse(): void {
    this.#refusalCount += 1;
    if (this.#refusalCount >= REFUSALS_MAX) this.complain("too many refused calls");
  }

  complain(reason: string): void {
    if (this.#complaint !== null) return;
    this.#complaint = reason;
    this.#close();
  }

  /** Set the function that closes the connection when the client misbehaves. */
  onComplaint(close: () => void): void {
    this.#close = close;
    if (this.#complaint !== null) close();
  }

  onRequestBytes(listener: (change: number) => void): void {
    this.#onRequestBytes = listener;
  }

  onQueuedBytes(listener: (bytes: number) => void): void {
    this.#onQueuedBytes = listener;
  }

  /** Report the number of bytes that wait in the socket because the system has not taken them. */
  setQueuedBytes(bytes: number): void {
    this.#onQueuedBytes(bytes);
  }

  /** The frame with the reason for closing the connection: GOAWAY, RFC 9113 6.8. */
  farewell(): Uint8Array {
    const frame = new Uint8Array(FRAME_HEADER_BYTES + GOAWAY_BYTES);
    frame[2] = GOAWAY_BYTES;
    frame[3] = FRAME.goAway;
    const view = new DataView(frame.buffer);
    view.setUint32(FRAME_HEADER_BYTES, this.#lastStreamId);
    view.setUint32(FRAME_HEADER_BYTES + 4, ENHANCE_YOUR_CALM);
    return frame;
  }

  /** Inspect bytes from the client before anything else reads them. */
  receive(bytes: Uint8Array): void {
    if (this.#complaint !== null) return;
    if (!this.#isAdmitted) this.#use("strangerByte", bytes.byteLength);
    if (this.#complaint === null) this.#received.read(bytes);
  }

  send(bytes: Uint8Array): void {
    this.#sent.read(bytes);
  }

  #beginReceived(frame: Frame): boolean {
    const { length, type, flags, streamId } = frame;
    if (length > FRAME_BYTES_MAX) this.complain("a frame that is too long");
    switch (type) {
      case FRAME.headers:
        this.#beginHeaders(frame);
        break;
      case FRAME.reset:
        this.#endStream(streamId);
        this.#use("reset");
        break;
      case FRAME.windowUpdate:
        this.#use("windowUpdate");
        break;
      case FRAME.data:
        if (length > 0) this.#growRequest(streamId, length);
        // An empty frame that ends a call is not counted: calls are.
        else if ((flags & FLAG.endStream) === 0) this.#use("control");
        break;
      default:
        this.#use("control");
    }
    return this.#complaint === null;
  }

  #beginHeaders({ flags, streamId }: Frame): void {
    if (!this.#isAdmitted) this.#use("call");
    this.#block = new HeaderBlock(flags);
    // Headers of a known stream are trailers of its request.
    if (streamId <= this.#lastStreamId) return;
    this.#lastStreamId = streamId;
    this.#requests.set(streamId, 0);
  }

  #readPayload({ type }: Frame, bytes: Uint8Array): boolean {
    if (this.#block === null || (type !== FRAME.headers && type !== FRAME.continuation)) {
      return true;
    }
    const problem = this.#block.add(bytes);
    if (problem !== null) this.complain(problem);
    return problem === null;
  }

  #endReceived({ type, flags }: Frame): void {
    if (type !== FRAME.headers && type !== FRAME.continuation) return;
    if ((flags & FLAG.endHeaders) !== 0) this.#block = null;
    else this.#block?.endFrame();
  }

  #beginSent({ type, flags, streamId }: Frame): boolean {
    if (type === FRAME.data) {
      this.#giveBack("control");
      this.#giveBack("reset");
    }
    const isEnd = (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0;
    if (isEnd || type === FRAME.reset) this.#endStream(streamId);
    if (type === FRAME.reset) this.#use("reset");
    return true;
  }

  #growRequest(streamId: number, bytes: number): void {
    const before = this.#requests.get(streamId);
    // Data for a stream that has ended is dropped.
    if (before === undefined) return;
    this.#requests.set(streamId, before + bytes);
    this.#onRequestBytes(bytes);
  }

  #endStream(streamId: number): void {
    const bytes = this.#requests.get(streamId);
    if (this.#requests.delete(streamId) && bytes! > 0) this.#onRequestBytes(-bytes!);
  }

  #giveBack(allowance: Allowance): void {
    this.#buckets.get(allowance)?.giveBack();
  }

  #use(allowance: Allowance, count = 1): void {
    let bucket = this.#buckets.get(allowance);
    if (!bucket) {
      this.#buckets.set(allowance, bucket = new Bucket(this.#clock, ALLOWANCES[allowance]));
    }
    if (!bucket.take(count)) this.complain(COMPLAINTS[allowance]);
  }
}
