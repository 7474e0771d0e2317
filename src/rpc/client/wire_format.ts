import { Buffer } from "node:buffer";

// The encoding of protobuf. A client reads little, before the runtime has compiled any of this: the
// library, which is made for servers, takes longer to load and to read it.

/** How a value is written: a number in as few bytes as it needs. */
export const VARINT = 0;
/** Eight bytes. */
export const FIXED64 = 1;
/** A length, and so many bytes. */
export const DELIMITED = 2;
const FIXED32 = 5;

/** Most bits of a number, in pieces of 7. */
const BITS_MAX = 70;
/** Pieces of a number that are exact without a bigint. */
const EXACT_PIECES = 7;
/** What invalid UTF-8 is read as. */
const REPLACED = "\ufffd";

/** The bytes of a whole number; a negative one has 64 bits. */
export function bytesOfNumber(value: number | bigint): Buffer {
  const bytes: number[] = [];
  if (typeof value === "number" && value >= 0) {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(rest % 128 | 128);
    bytes.push(rest);
  } else {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
  }
  return Buffer.from(bytes);
}

/** Reads values one after the other. Every method throws an Error if the bytes end too early. */
export class WireReader {
  readonly #all: Buffer;
  /** Where the next value begins. */
  pos = 0;

  constructor(bytes: Uint8Array) {
    this.#all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The lowest 32 bits of a number. */
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
    // Throws unless that character was sent.
    if (text.includes(REPLACED)) {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#all.subarray(start, start + length));
    }
    return text;
  }

  /** Pass a value that was written in this way. */
  skip(wireType: number): void {
    if (wireType === VARINT) this.int64();
    else if (wireType === FIXED64) this.#pass(8);
    else if (wireType === FIXED32) this.#pass(4);
    else if (wireType === DELIMITED) this.bytes();
    else throw new Error(`cannot read wire type ${wireType}`);
  }

  /** Go on behind so many bytes. @returns where they begin */
  #pass(length: number): number {
    const start = this.pos;
    this.pos += length;
    if (this.pos > this.#all.byteLength) throw new Error("the bytes end too early");
    return start;
  }
}
