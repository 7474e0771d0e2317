import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { systemClock } from "../../platform/clock.ts";
import { runtimeName } from "../../platform/system/runtime.ts";
import type { ConnectionGuard } from "../guard/connection_guard.ts";

/**
 * After this many pieces, from eight requests, the first part is sent without waiting for the rest,
 * so that the peer can start while we continue. Smaller parts cost more than they gain: each
 * becomes a separate transaction.
 */
const PIECES_MAX = 9;

/**
 * Most bytes passed on at once until a call of the peer has been accepted. HTTP/2 opens every
 * stream of a piece before it can be stopped: up to eight in this size, 256 in a few KB.
 */
const STRANGER_PIECE_BYTES = 128;
/** Time limit of the farewell to a peer. */
const FAREWELL_MS = 1_000;

type Done = (error?: Error | null) => void;

/**
 * A socket that sends everything written in one turn of the event loop together. Bun's HTTP/2 alone
 * sends each of the two or three frames of a call separately, which costs more than the rest of a
 * short call and wakes the peer each time.
 *
 * Data that arrives before these writes are sent is read afterwards. Otherwise, work on the next
 * calls would delay earlier responses, and the two sides would alternate.
 */
class GatheringSocket extends Duplex {
  readonly #socket: Socket;
  /** Written and not sent yet. */
  #pieces = 0;
  #isDeferred = false;
  /** Arrived and not passed on yet; null is the end. */
  #arrived: (Buffer | null)[] = [];
  readonly #guard: ConnectionGuard | null;
  #isDismissed = false;

  constructor(socket: Socket, guard: ConnectionGuard | null) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#guard = guard;
    guard?.onComplaint(() => this.#dismiss());
    socket.on("data", (bytes: Buffer) => this.#arrive(bytes));
    socket.once("end", () => this.#arrive(null));
    socket.once("error", (error) => {
      this.#passOn();
      this.destroy(error);
    });
    socket.once("close", () => {
      this.#passOn();
      this.destroy();
    });
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  setTimeout(ms: number, listener?: () => void): this {
    this.#socket.setTimeout(ms, listener);
    return this;
  }

  setNoDelay(isOn?: boolean): this {
    this.#socket.setNoDelay(isOn);
    return this;
  }

  setKeepAlive(isOn?: boolean, delayMs?: number): this {
    this.#socket.setKeepAlive(isOn, delayMs);
    return this;
  }

  override write(bytes: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    if (bytes instanceof Uint8Array) this.#guard?.send(bytes);
    if (this.#pieces === 0) {
      this.cork();
      if (!this.#isDeferred) this.#defer();
    }
    this.#pieces += 1;
    const isTaken = super.write(bytes, encoding as BufferEncoding, done);
    if (this.#pieces === PIECES_MAX) this.#send();
    return isTaken;
  }

  #defer(): void {
    this.#isDeferred = true;
    systemClock.defer(() => {
      this.#isDeferred = false;
      this.#send();
      this.#passOn();
    });
  }

  #arrive(bytes: Buffer | null): void {
    if (this.#isDismissed) return;
    if (bytes !== null) this.#guard?.receive(bytes);
    if (this.#isDismissed) return;
    this.#arrived.push(bytes);
    if (!this.#isDeferred) this.#passOn();
  }

  /** Finish pending responses, send the reason for closing, and close. */
  #dismiss(): void {
    if (this.#isDismissed) return;
    this.#isDismissed = true;
    this.#arrived = [];
    this.#socket.pause();
    systemClock.defer(() => {
      this.#send();
      const timer = systemClock.timer(FAREWELL_MS, () => this.destroy(), { unref: true });
      this.#socket.write(this.#guard!.farewell(), () => {
        timer.cancel();
        this.destroy();
      });
    });
  }

  #passOn(): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const bytes of arrived) {
      for (const piece of bytes === null ? [null] : this.#piecesOf(bytes)) {
        // The previous piece may have exceeded a limit.
        if (this.#isDismissed) return;
        if (!this.push(piece)) this.#socket.pause();
      }
    }
  }

  *#piecesOf(bytes: Buffer): Generator<Buffer> {
    let rest = bytes;
    while (rest.length > STRANGER_PIECE_BYTES && this.#guard?.isAdmitted === false) {
      yield rest.subarray(0, STRANGER_PIECE_BYTES);
      rest = rest.subarray(STRANGER_PIECE_BYTES);
    }
    yield rest;
  }

  #send(): void {
    if (this.#pieces === 0) return;
    this.#pieces = 0;
    this.uncork();
    this.#reportQueued();
  }

  // Includes bytes that the socket below has not passed to the system.
  #reportQueued(): void {
    this.#guard?.setQueuedBytes(this.writableLength);
  }

  override destroy(error?: Error): this {
    // As with any socket, earlier writes are still sent.
    this.#send();
    return super.destroy(error);
  }

  override _read(): void {
    if (!this.#isDismissed) this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#socket.write(bytes, (error) => {
      done(error);
      this.#reportQueued();
    });
  }

  override _writev(pieces: { readonly chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(pieces.map(({ chunk }) => chunk)), "utf8", done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}

/**
 * A socket that sends all writes of one event loop turn together. Other runtimes do so themselves.
 *
 * @param guard watches the peer and closes the connection; absent for a trusted peer
 */
export function gathering(socket: Socket, guard: ConnectionGuard | null = null): Socket {
  if (runtimeName() === "bun") return new GatheringSocket(socket, guard) as unknown as Socket;
  guard?.onComplaint(() => socket.destroy());
  return socket;
}
