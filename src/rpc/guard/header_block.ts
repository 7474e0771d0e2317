/** Longest compressed headers of a call, in bytes: the longest token and some reserve. */
const BLOCK_BYTES_MAX = 16_384;
/** Most header fields of a call; each can refer to an earlier one of 4 KiB. */
const FIELDS_MAX = 64;

const PADDED = 0x8;
const PRIORITY = 0x20;
const PRIORITY_BYTES = 5;

/**
 * Counts the fields of compressed headers (HPACK, RFC 7541) as they arrive, without decompressing
 * them: a field of one byte can expand to kilobytes.
 */
export class HeaderBlock {
  #byteCount = 0;
  #fieldCount = 0;
  /** Unread bytes before the fields: padding length and priority. */
  #skip: number;
  /** Remaining bytes of a string. */
  #textLeft = 0;
  /** Remaining strings of the field: name and value, or value only. */
  #textCount = 0;
  /** The number being read; null between numbers. */
  #number: { value: number; shift: number; readonly isLength: boolean; texts: number } | null =
    null;
  readonly #isPadded: boolean;

  /** @param flags of the HEADERS frame */
  constructor(flags: number) {
    this.#isPadded = (flags & PADDED) !== 0;
    this.#skip = (this.#isPadded ? 1 : 0) + ((flags & PRIORITY) === 0 ? 0 : PRIORITY_BYTES);
  }

  /** Read more bytes; returns the problem, or null. */
  add(bytes: Uint8Array): string | null {
    this.#byteCount += bytes.byteLength;
    if (this.#byteCount > BLOCK_BYTES_MAX) return "headers that are too long";
    // Padding would look like fields, and no gRPC client pads.
    if (this.#isPadded) return "padded headers";
    for (let offset = 0; offset < bytes.byteLength;) {
      if (this.#skip > 0) {
        const length = Math.min(this.#skip, bytes.byteLength - offset);
        this.#skip -= length;
        offset += length;
      } else if (this.#textLeft > 0) {
        const length = Math.min(this.#textLeft, bytes.byteLength - offset);
        this.#textLeft -= length;
        offset += length;
        if (this.#textLeft === 0) this.#textCount -= 1;
      } else {
        this.#read(bytes[offset]!);
        offset += 1;
        if (this.#fieldCount > FIELDS_MAX) return "too many headers";
        if (this.#number !== null && this.#number.shift > 28) return "headers that cannot be read";
      }
    }
    return null;
  }

  /** A frame has ended; the next one continues the block, without padding or priority. */
  endFrame(): void {
    this.#skip = 0;
  }

  #read(byte: number): void {
    if (this.#number !== null) {
      const number = this.#number;
      number.value += (byte & 0x7f) * 2 ** number.shift;
      number.shift += 7;
      if ((byte & 0x80) === 0) this.#end(number);
      return;
    }
    if (this.#textCount > 0) return this.#begin(byte & 0x7f, 0x7f, true, 0);
    this.#fieldCount += 1;
    // An indexed field, a field to add to the table, a table size update, or a field to keep out.
    if ((byte & 0x80) !== 0) this.#begin(byte & 0x7f, 0x7f, false, 0);
    else if ((byte & 0x40) !== 0) this.#begin(byte & 0x3f, 0x3f, false, 1);
    else if ((byte & 0x20) !== 0) this.#begin(byte & 0x1f, 0x1f, false, 0);
    else this.#begin(byte & 0x0f, 0x0f, false, 1);
  }

  #begin(value: number, most: number, isLength: boolean, texts: number): void {
    const number = { value, shift: 0, isLength, texts };
    if (value === most) this.#number = number;
    else this.#end(number);
  }

  #end({ value, isLength, texts }: { value: number; isLength: boolean; texts: number }): void {
    this.#number = null;
    if (!isLength) {
      // Without an index for the name, the name itself comes first.
      this.#textCount = texts === 0 ? 0 : value === 0 ? 2 : 1;
      return;
    }
    this.#textLeft = value;
    if (value === 0) this.#textCount -= 1;
  }
}
