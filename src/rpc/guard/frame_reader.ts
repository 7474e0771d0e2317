const FRAME_HEADER_BYTES = 9;

/** Types of frames, RFC 9113 6. */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  reset: 0x3,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Flags of frames. */
export const FLAG = { endStream: 0x1, endHeaders: 0x4 } as const;

/** The first nine bytes of a frame. */
export interface Frame {
  /** Length of its payload, in bytes. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

/** Called for each frame. A method returns false to stop reading. */
export interface FrameListener {
  begin(frame: Frame): boolean;
  /** Called with parts of the payload, as they arrive. */
  payload?(frame: Frame, bytes: Uint8Array): boolean;
  end?(frame: Frame): void;
}

/** Finds the frames of one direction of an HTTP/2 connection, in chunks of any size. */
export class FrameReader {
  readonly #listener: FrameListener;
  /** Bytes still to skip before the first frame. */
  #skip: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerLength = 0;
  #frame: Frame | null = null;
  #payloadLeft = 0;

  /** @param skip bytes before the first frame */
  constructor(listener: FrameListener, skip = 0) {
    this.#listener = listener;
    this.#skip = skip;
  }

  read(bytes: Uint8Array): void {
    let offset = Math.min(this.#skip, bytes.byteLength);
    this.#skip -= offset;
    while (offset < bytes.byteLength) {
      const next = this.#frame === null
        ? this.#readHeader(bytes, offset)
        : this.#readPayload(this.#frame, bytes, offset);
      if (next === null) return;
      offset = next;
    }
  }

  #readHeader(bytes: Uint8Array, offset: number): number | null {
    const header = this.#header;
    const end = Math.min(offset + FRAME_HEADER_BYTES - this.#headerLength, bytes.byteLength);
    for (let at = offset; at < end; at += 1) header[this.#headerLength++] = bytes[at]!;
    if (this.#headerLength < FRAME_HEADER_BYTES) return end;
    this.#headerLength = 0;
    const frame = {
      length: header[0]! << 16 | header[1]! << 8 | header[2]!,
      type: header[3]!,
      flags: header[4]!,
      streamId: (header[5]! & 0x7f) << 24 | header[6]! << 16 | header[7]! << 8 | header[8]!,
    };
    if (!this.#listener.begin(frame)) return null;
    this.#payloadLeft = frame.length;
    if (frame.length === 0) this.#listener.end?.(frame);
    else this.#frame = frame;
    return end;
  }

  #readPayload(frame: Frame, bytes: Uint8Array, offset: number): number | null {
    const end = Math.min(offset + this.#payloadLeft, bytes.byteLength);
    this.#payloadLeft -= end - offset;
    const { payload } = this.#listener;
    if (payload && !this.#listener.payload!(frame, bytes.subarray(offset, end))) return null;
    if (this.#payloadLeft === 0) {
      this.#frame = null;
      this.#listener.end?.(frame);
    }
    return end;
  }
}
