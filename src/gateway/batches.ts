import { JobError, toJobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Batch, PlainError, PostBatch } from "./messages.ts";

const NOTHING = new Uint8Array(0);
/** Numbers that describe one frame: its code, its id and the length of its payload in bytes. */
const NUMBERS_OF_FRAME = 3;
const NUMBER_BYTES = Float64Array.BYTES_PER_ELEMENT;
/**
 * Most payload bytes of a batch with several payloads. Each payload is a view that keeps the whole
 * batch in memory: a small request that waits for a minute must not keep large ones of its batch.
 */
const SHARED_BYTES_MAX = 65_536;
/**
 * Most frames of the first batch of an event loop turn: the other thread begins with these while
 * this one continues. If one batch held a whole turn, the threads would alternate.
 */
const FIRST_FRAMES_MAX = 8;
/** Each further batch may have twice as many frames, up to this many: batches are not free. */
const FRAMES_MAX = 32;

/** Members of every frame. */
interface AnyFrame {
  readonly type: string;
  readonly id?: number;
}

/** Encodes the frequent frames of one direction as a number for everything except their id. */
export interface FrameCodec<Frame extends AnyFrame> {
  /** The number of a frame; 0 if it travels as an object. */
  codeOf(frame: Frame): number;
  frameOf(code: number, id: number): Frame;
}

/** Sends the frames of one event loop turn together, the first ones early, large payloads alone. */
export class BatchSender<Frame extends AnyFrame> {
  readonly #codec: FrameCodec<Frame>;
  readonly #clock: Clock;
  readonly #post: PostBatch<Frame>;
  /** Three numbers of each frame. */
  #numbers: number[] = [];
  #objects: Frame[] = [];
  #payloads: Uint8Array[] = [];
  #payloadBytes = 0;
  #framesMax = FIRST_FRAMES_MAX;

  constructor(codec: FrameCodec<Frame>, clock: Clock, post: PostBatch<Frame>) {
    this.#codec = codec;
    this.#clock = clock;
    this.#post = post;
  }

  /** @param payload copied by the end of the event loop turn */
  send(frame: Frame, payload: Uint8Array = NOTHING): void {
    const isShared = this.#payloadBytes > 0 && payload.byteLength > 0;
    if (isShared && this.#payloadBytes + payload.byteLength > SHARED_BYTES_MAX) this.#flush();
    if (this.#numbers.length === 0) this.#clock.defer(() => this.#endTurn());
    const code = this.#codec.codeOf(frame);
    if (code === 0) this.#numbers.push(0, this.#objects.push(frame) - 1, payload.byteLength);
    else this.#numbers.push(code, frame.id!, payload.byteLength);
    if (payload.byteLength > 0) {
      this.#payloads.push(payload);
      this.#payloadBytes += payload.byteLength;
    }
    if (this.#numbers.length < this.#framesMax * NUMBERS_OF_FRAME) return;
    this.#flush();
    this.#framesMax = Math.min(this.#framesMax * 2, FRAMES_MAX);
  }

  #endTurn(): void {
    this.#flush();
    this.#framesMax = FIRST_FRAMES_MAX;
  }

  #flush(): void {
    const numbers = this.#numbers;
    // A large payload, or a full batch, may have sent everything already.
    if (numbers.length === 0) return;
    const headBytes = (1 + numbers.length) * NUMBER_BYTES;
    const buffer = new ArrayBuffer(headBytes + this.#payloadBytes);
    const head = new Float64Array(buffer, 0, 1 + numbers.length);
    head[0] = numbers.length / NUMBERS_OF_FRAME;
    head.set(numbers, 1);
    const bytes = new Uint8Array(buffer);
    let offset = headBytes;
    for (const payload of this.#payloads) {
      bytes.set(payload, offset);
      offset += payload.byteLength;
    }
    const objects = this.#objects;
    this.#numbers = [];
    this.#objects = [];
    this.#payloads = [];
    this.#payloadBytes = 0;
    // A bare buffer costs half of a message with objects.
    this.#post(objects.length === 0 ? buffer : { type: "batch", buffer, objects }, [buffer]);
  }
}

/** Calls `receive` with each frame of a batch and its payload, which is a view of the batch. */
export function readBatch<Frame extends AnyFrame>(
  codec: FrameCodec<Frame>,
  batch: Batch<Frame>,
  receive: (frame: Frame, payload: Uint8Array) => void,
): void {
  const { buffer, objects } = batch instanceof ArrayBuffer ? { buffer: batch, objects: [] } : batch;
  const [count] = new Float64Array(buffer, 0, 1);
  const numbers = new Float64Array(buffer, NUMBER_BYTES, count! * NUMBERS_OF_FRAME);
  let offset = NUMBER_BYTES + numbers.byteLength;
  for (let index = 0; index < numbers.length; index += NUMBERS_OF_FRAME) {
    const code = numbers[index]!;
    const id = numbers[index + 1]!;
    const length = numbers[index + 2]!;
    const payload = length === 0 ? NOTHING : new Uint8Array(buffer, offset, length);
    receive(code === 0 ? objects[id]! : codec.frameOf(code, id), payload);
    offset += length;
  }
}

/** An error as data. */
export function toPlainError(thrown: unknown, action: string): PlainError {
  const { code, message, hint, path, options } = toJobError(thrown, action);
  return { code, message, hint, path, options };
}

/** The error rebuilt from its data. */
export function fromPlainError({ code, message, ...parts }: PlainError): JobError {
  return new JobError(code, message, parts);
}

/** The error of a call whose client has disconnected. */
export function canceled(): JobError {
  return new JobError("canceled", "Canceled: the client disconnected");
}
