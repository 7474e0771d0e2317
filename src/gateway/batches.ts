import { JobError, toJobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Batch, PlainError } from "./messages.ts";

const NOTHING = new Uint8Array(0);

/** Collects the frames of one event loop turn and sends them together. */
export class BatchSender<Frame extends { readonly type: string }> {
  readonly #clock: Clock;
  readonly #post: (batch: Batch<Frame>, transfer: readonly ArrayBuffer[]) => void;
  #frames: Frame[] = [];
  #payloads: Uint8Array[] = [];
  #byteCount = 0;

  constructor(
    clock: Clock,
    post: (batch: Batch<Frame>, transfer: readonly ArrayBuffer[]) => void,
  ) {
    this.#clock = clock;
    this.#post = post;
  }

  /** @param payload with as many bytes as the frame says; copied at the end of the turn */
  send(frame: Frame, payload: Uint8Array = NOTHING): void {
    if (this.#frames.length === 0) this.#clock.defer(() => this.#flush());
    this.#frames.push(frame);
    if (payload.byteLength === 0) return;
    this.#payloads.push(payload);
    this.#byteCount += payload.byteLength;
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#byteCount);
    let offset = 0;
    for (const payload of this.#payloads) {
      bytes.set(payload, offset);
      offset += payload.byteLength;
    }
    const frames = this.#frames;
    this.#frames = [];
    this.#payloads = [];
    this.#byteCount = 0;
    this.#post({ type: "batch", frames, bytes }, [bytes.buffer]);
  }
}

/** Calls `receive` with each frame of a batch and its payload, which is a view of the batch's bytes. */
export function readBatch<Frame extends { readonly type: string }>(
  { frames, bytes }: Batch<Frame>,
  receive: (frame: Frame, payload: Uint8Array) => void,
): void {
  let offset = 0;
  for (const frame of frames) {
    const length = "bytes" in frame ? frame.bytes as number : 0;
    receive(frame, length === 0 ? NOTHING : bytes.subarray(offset, offset + length));
    offset += length;
  }
}

/** An error as data. */
export function toPlainError(thrown: unknown, action: string): PlainError {
  const { code, message, hint, path } = toJobError(thrown, action);
  return { code, message, hint, path };
}

/** The error rebuilt from its data. */
export function fromPlainError({ code, message, hint, path }: PlainError): JobError {
  return new JobError(code, message, { hint, path });
}
