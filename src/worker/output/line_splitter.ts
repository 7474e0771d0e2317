import type { SecretMask } from "../../core/text/secret_mask.ts";

/** Longest piece of output kept as one line, in bytes. */
export const LINE_BYTES_MAX = 8_192;

const NEWLINE = 10;
const RETURN = 13;
/** First byte of every record. */
const RECORD = 0x1e;

interface LineSplitterOptions {
  /** Finds secrets, so that no piece of a long line contains only part of one. */
  readonly mask: SecretMask;
  readonly onLine: (line: Uint8Array) => void;
  /** Called when the marker of {@link LineSplitter.expect} was found. */
  readonly onMarker?: () => void;
  /** Absent if the lines contain no records. */
  readonly records?: {
    /** Marks them; it is unguessable. */
    readonly prefix: string;
    /** Longest record, in bytes. */
    readonly bytesMax: number;
    /** Called with a record without its prefix. */
    readonly onRecord: (record: Buffer) => void;
  };
}

/**
 * Splits a byte stream into lines without their line ends, at most {@link LINE_BYTES_MAX} long. It
 * also finds records, and a marker at the end of a line, even after text that has no line end.
 */
export class LineSplitter {
  readonly #options: LineSplitterOptions;
  /** Null without records. */
  readonly #prefix: Buffer | null;
  #marker: Buffer | null = null;
  #pending: Buffer = Buffer.alloc(0);

  constructor(options: LineSplitterOptions) {
    this.#options = options;
    this.#prefix = options.records ? Buffer.from(options.records.prefix) : null;
  }

  /** Look for `marker`, which ends with a newline, until it is found once. */
  expect(marker: string): void {
    this.#marker = Buffer.from(marker);
  }

  push(chunk: Uint8Array): void {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#pending.length === 0 ? fresh : Buffer.concat([this.#pending, fresh]);
    const marker = this.#marker;
    const at = marker === null ? -1 : bytes.indexOf(marker);
    if (at < 0) {
      this.#pending = this.#take(bytes);
      return;
    }
    this.#marker = null;
    this.#pending = this.#take(bytes.subarray(0, at));
    this.flush();
    this.#options.onMarker?.();
    if (at + marker!.length < bytes.length) this.push(bytes.subarray(at + marker!.length));
  }

  /** Flush a line without a line end. */
  flush(): void {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    if (rest.length > 0) this.#line(rest);
  }

  /** Emits complete lines and returns the rest. */
  #take(bytes: Buffer): Buffer {
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#line(bytes.subarray(start, end));
      start = end + 1;
    }
    let rest = bytes.subarray(start);
    // Enough is kept to complete a marker, the start of a record, or a secret.
    const { records, mask, onLine } = this.#options;
    const ownLength = (this.#marker?.length ?? 0) + (this.#prefix?.length ?? 0);
    const heldBack = LINE_BYTES_MAX + Math.max(ownLength, mask.bytesMax);
    while (rest.length > heldBack) {
      const at = this.#prefix === null ? -1 : rest.indexOf(this.#prefix);
      if (at === 0 && rest.length <= records!.bytesMax) break;
      const size = at > 0 && at < LINE_BYTES_MAX ? at : this.#pieceSize(rest);
      onLine(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    return rest;
  }

  #line(line: Buffer): void {
    const prefix = this.#prefix;
    const at = prefix !== null && line.includes(RECORD) ? line.indexOf(prefix) : -1;
    if (at < 0) return this.#text(line);
    if (at > 0) this.#text(line.subarray(0, at));
    this.#options.records!.onRecord(line.subarray(at + prefix!.length));
  }

  #text(line: Buffer): void {
    let rest = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    while (rest.length > LINE_BYTES_MAX) {
      const size = this.#pieceSize(rest);
      this.#options.onLine(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    this.#options.onLine(rest);
  }

  #pieceSize(bytes: Buffer): number {
    const size = pieceSize(bytes);
    const { mask } = this.#options;
    if (mask.isEmpty) return size;
    return mask.cutBefore(bytes.toString("latin1", 0, size + mask.bytesMax), size);
  }
}

/** Position to cut at without splitting a UTF-8 character; other text is cut anywhere. */
export function pieceSize(bytes: Uint8Array): number {
  for (let size = LINE_BYTES_MAX; size > LINE_BYTES_MAX - 4; size--) {
    if ((bytes[size]! & 0xc0) !== 0x80) return size;
  }
  return LINE_BYTES_MAX;
}
