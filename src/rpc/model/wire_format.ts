import { Buffer } from "node:buffer";

// The encoding of protobuf. A client reads only a little, before any of this is compiled: the
// protobuf library would take longer to load, and to read that little.

/** A wire type: a number in the fewest bytes. */
export const VARINT = 0;
/** The wire type of eight bytes. */
export const FIXED64 = 1;
/** The wire type of a length, followed by that number of bytes. */
export const DELIMITED = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** Most bits of a number, in pieces of 7. */
const BITS_MAX = 70;
/** Pieces of a number that are exact without a bigint. */
const EXACT_PIECES = 7;
/** Most bytes of a tag, and the largest value of the last of them. */
const TAG_BYTES_MAX = 5;
const TAG_LAST_MAX = 15;
/** Deepest nesting of unknown groups. */
const GROUPS_MAX = 100;
/** Invalid UTF-8 is read as this. */
const REPLACED = "\ufffd";
/** Longest text whose length in bytes always fits into one byte. */
const SHORT_MAX = 42;
const TEXT = new TextDecoder("utf-8", { fatal: true });

/** Reads values one after the other. Every method throws an Error if the bytes end too early. */
export class WireReader {
  readonly #all: Buffer;
  /** Position of the next value. */
  pos = 0;
  /** Number of items of lists that may follow. */
  itemsLeft: number;

  constructor(bytes: Uint8Array, itemsMax: number) {
    this.itemsLeft = itemsMax;
    this.#all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The number of a field times 8, and its wire type. */
  tag(): number {
    const start = this.pos;
    const tag = this.uint32();
    const count = this.pos - start;
    const isTooLong = count > TAG_BYTES_MAX ||
      count === TAG_BYTES_MAX && this.#all[this.pos - 1]! > TAG_LAST_MAX;
    if (isTooLong || tag < 8 || (tag & 7) > FIXED32) throw new Error("illegal tag");
    return tag;
  }

  /** Read a number, and keep its lowest 32 bits. */
  uint32(): number {
    const bytes = this.#all;
    let byte = bytes[this.pos++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let shift = 7; shift < BITS_MAX; shift += 7) {
      byte = bytes[this.pos++]!;
      if (shift < 32) value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw new Error("a number is too long, or cut");
  }

  int64(): bigint {
    const bytes = this.#all;
    let value = 0;
    let unit = 1;
    for (let piece = 0; piece < EXACT_PIECES; piece++, unit *= 128) {
      const byte = bytes[this.pos++]!;
      value += (byte & 127) * unit;
      if (byte < 128) return BigInt(value);
    }
    let whole = BigInt(value);
    for (let shift = EXACT_PIECES * 7; shift < BITS_MAX; shift += 7) {
      const byte = bytes[this.pos++]!;
      whole |= BigInt(byte & 127) << BigInt(shift);
      if (byte < 128) return BigInt.asIntN(64, whole);
    }
    throw new Error("a number is too long, or cut");
  }

  double(): number {
    const start = this.#pass(8);
    return this.#all.readDoubleLE(start);
  }

  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.#pass(length);
    return new Uint8Array(this.#all.subarray(start, start + length));
  }

  text(): string {
    const length = this.uint32();
    const start = this.#pass(length);
    const text = this.#all.toString("utf8", start, start + length);
    // Throws for invalid bytes. The replacement character itself may have been sent.
    if (text.includes(REPLACED)) TEXT.decode(this.#all.subarray(start, start + length));
    return text;
  }

  /** Pass a value that was written with this tag. */
  skip(tag: number, levels = GROUPS_MAX): void {
    const wireType = tag & 7;
    if (wireType === VARINT) this.int64();
    else if (wireType === FIXED64) this.#pass(8);
    else if (wireType === FIXED32) this.#pass(4);
    else if (wireType === DELIMITED) this.#pass(this.uint32());
    else if (wireType === GROUP && levels > 0) this.#skipGroup(tag >>> 3, levels - 1);
    else throw new Error(`cannot read wire type ${wireType}`);
  }

  #skipGroup(number: number, levels: number): void {
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) !== GROUP_END) this.skip(tag, levels);
      else if (tag >>> 3 === number) return;
      else throw new Error("a group ends that has not begun");
    }
  }

  /** Skip `length` bytes. @returns where they began */
  #pass(length: number): number {
    const start = this.pos;
    this.pos += length;
    if (this.pos > this.#all.byteLength) throw new Error("the bytes end too early");
    return start;
  }
}

const INT_MAX = 2 ** 31 - 1;
/** First size of the buffer for messages, and the largest that is kept. */
const SPACE_BYTES = 16 * 1024;
const KEPT_BYTES_MAX = 256 * 1024;

let space: Buffer | null = null;

/** Writes values one after the other. Only one message is written at a time. */
export class WireWriter {
  #bytes = space ?? Buffer.allocUnsafeSlow(SPACE_BYTES);
  #pos = 0;

  constructor() {
    space = null;
  }

  /** The bytes written so far. */
  finish(): Uint8Array {
    const result = new Uint8Array(this.#bytes.subarray(0, this.#pos));
    if (this.#bytes.byteLength <= KEPT_BYTES_MAX) space = this.#bytes;
    return result;
  }

  /** A whole number from 0 that is exact. */
  uint(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > INT_MAX; rest = Math.floor(rest / 128)) {
      this.#bytes[this.#pos++] = rest % 128 | 128;
    }
    for (; rest > 127; rest >>>= 7) this.#bytes[this.#pos++] = rest & 127 | 128;
    this.#bytes[this.#pos++] = rest;
  }

  /** @throws Error for anything but a whole number of 32 bits */
  int32(value: number): void {
    if ((value | 0) !== value) throw new Error(`invalid int32: ${value}`);
    if (value >= 0) this.uint(value);
    else this.int64(value);
  }

  /** @throws Error for anything but a whole number of 64 bits */
  int64(value: number | bigint): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      const number = Number(value);
      if (Number.isInteger(number)) return this.uint(number);
    }
    const whole = BigInt(value);
    if (BigInt.asIntN(64, whole) !== whole) throw new Error(`invalid int64: ${value}`);
    this.#reserve(10);
    let rest = BigInt.asUintN(64, whole);
    for (; rest > 127n; rest >>= 7n) this.#bytes[this.#pos++] = Number(rest & 127n) | 128;
    this.#bytes[this.#pos++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#pos = this.#bytes.writeDoubleLE(value, this.#pos);
  }

  bytes(value: Uint8Array): void {
    this.uint(value.byteLength);
    this.raw(value);
  }

  /** Already encoded bytes. */
  raw(value: Uint8Array): void {
    this.#reserve(value.byteLength);
    this.#bytes.set(value, this.#pos);
    this.#pos += value.byteLength;
  }

  text(value: string): void {
    if (value.length > SHORT_MAX) {
      const count = Buffer.byteLength(value);
      this.uint(count);
      this.#reserve(count);
      this.#pos += this.#bytes.write(value, this.#pos);
      return;
    }
    this.#reserve(1 + 3 * SHORT_MAX);
    const count = this.#bytes.write(value, this.#pos + 1);
    this.#bytes[this.#pos] = count;
    this.#pos += 1 + count;
  }

  /** Begin a value that {@link close} gives its length. @returns its place */
  open(): number {
    this.#reserve(1);
    return this.#pos++;
  }

  close(place: number): void {
    const start = place + 1;
    const count = this.#pos - start;
    if (count > 127) {
      const more = Math.floor(Math.log2(count) / 7);
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, this.#pos);
    }
    this.#pos = place;
    this.uint(count);
    this.#pos += count;
  }

  #reserve(count: number): void {
    const needed = this.#pos + count;
    if (needed <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.byteLength * 2));
    larger.set(this.#bytes.subarray(0, this.#pos));
    this.#bytes = larger;
  }
}
