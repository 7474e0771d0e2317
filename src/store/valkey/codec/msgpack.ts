import { Buffer } from "node:buffer";
import { JobError } from "../../../core/errors.ts";

/**
 * A value for scripts. Null is written as false, since Lua lists must not have gaps; bytes as a
 * string.
 */
export type Packable =
  | null
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | Packed
  | readonly Packable[]
  | { readonly [name: string]: Packable };

/** An already encoded value. */
export class Packed {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/**
 * First bytes of values with a length. A short length is in the byte `small` itself; another one
 * follows the byte `large` in two bytes, or the next one in four.
 */
interface Head {
  readonly small: number;
  readonly smallMax: number;
  readonly large: number;
}

const MAP: Head = { small: 0x80, smallMax: 15, large: 0xde };
const LIST: Head = { small: 0x90, smallMax: 15, large: 0xdc };
const TEXT: Head = { small: 0xa0, smallMax: 31, large: 0xda };

const SIZE_MIN = 4_096;
const KEPT_MAX = 1_048_576;
const TWO_32 = 2 ** 32;

/** Writes the part of MessagePack that the scripts' `cmsgpack` reads. */
class Packer {
  #buffer = Buffer.allocUnsafe(SIZE_MIN);
  #length = 0;

  /** Copy the bytes written so far. */
  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  /** Start again, empty. */
  clear(): void {
    this.#length = 0;
    // Release the memory of a rare large request.
    if (this.#buffer.length > KEPT_MAX) this.#buffer = Buffer.allocUnsafe(SIZE_MIN);
  }

  /** Append a value, without undefined members. */
  write(value: Packable): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#number(value);
    else if (value === null || value === undefined || value === false) this.#byte(0xc2);
    else if (value === true) this.#byte(0xc3);
    else if (Array.isArray(value)) {
      this.#head(LIST, value.length);
      for (const item of value) this.write(item);
    } else if (value instanceof Packed) this.#raw(value.bytes);
    else if (value instanceof Uint8Array) {
      this.#head(TEXT, value.length);
      this.#raw(value);
    } else {
      const entries = Object.entries(value).filter(([, member]) => member !== undefined);
      this.#head(MAP, entries.length);
      for (const [name, member] of entries) {
        this.#text(name);
        this.write(member);
      }
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  #head({ small, smallMax, large }: Head, length: number): void {
    this.#reserve(5);
    if (length <= smallMax) this.#buffer[this.#length++] = small | length;
    else if (length < 65_536) {
      this.#buffer[this.#length] = large;
      this.#length = this.#buffer.writeUInt16BE(length, this.#length + 1);
    } else {
      this.#buffer[this.#length] = large + 1;
      this.#length = this.#buffer.writeUInt32BE(length, this.#length + 1);
    }
  }

  #text(text: string): void {
    const { length } = text;
    if (length < 32) {
      // Short texts are mostly ASCII, one byte per character.
      this.#reserve(length + 1);
      const start = this.#length + 1;
      let index = 0;
      for (; index < length; index++) {
        const unit = text.charCodeAt(index);
        if (unit > 127) break;
        this.#buffer[start + index] = unit;
      }
      if (index === length) {
        this.#buffer[this.#length] = 0xa0 | length;
        this.#length = start + length;
        return;
      }
    }
    const bytes = Buffer.byteLength(text);
    this.#head(TEXT, bytes);
    this.#reserve(bytes);
    this.#length += this.#buffer.write(text, this.#length);
  }

  #number(value: number): void {
    this.#reserve(9);
    const buffer = this.#buffer;
    const at = this.#length;
    if (Number.isSafeInteger(value)) {
      if (value >= 0 && value < 128) {
        buffer[at] = value;
        this.#length = at + 1;
      } else if (value >= 0 && value < TWO_32) {
        buffer[at] = 0xce;
        this.#length = buffer.writeUInt32BE(value, at + 1);
      } else {
        buffer[at] = 0xd3;
        const high = Math.floor(value / TWO_32);
        buffer.writeInt32BE(high, at + 1);
        this.#length = buffer.writeUInt32BE(value - high * TWO_32, at + 5);
      }
    } else {
      buffer[at] = 0xcb;
      this.#length = buffer.writeDoubleBE(value, at + 1);
    }
  }
}

const packer = new Packer();

/** Encode values one by one. */
export function pack(...values: readonly Packable[]): Buffer {
  packer.clear();
  for (const value of values) packer.write(value);
  return packer.bytes();
}

/** A value that was read; null if the script has no value. */
export function orNull<T>(value: unknown): T | null {
  return value === false || value === undefined ? null : value as T;
}

/** Objects stored as lists: their members, in the order of the names. */
export class Tuple<T extends object> {
  readonly #names: readonly (keyof T & string)[];

  constructor(names: readonly (keyof T & string)[]) {
    this.#names = names;
  }

  pack(object: T): readonly Packable[] {
    return this.#names.map((name) => object[name] as Packable);
  }

  /** The object of a list; members that the script does not have are null. */
  read(list: unknown): T {
    const values = list as readonly unknown[];
    const members = this.#names.map((name, place) => [name, orNull(values[place])]);
    return Object.fromEntries(members) as T;
  }
}

/**
 * Reads MessagePack as `cmsgpack` writes it, strings on request as bytes, which may hold another
 * value.
 */
export class Unpacker {
  readonly #bytes: Buffer;
  #place = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isEnd(): boolean {
    return this.#place >= this.#bytes.length;
  }

  /** True if the next value is a list. */
  get isList(): boolean {
    const byte = this.#bytes[this.#place]!;
    return (byte >= 0x90 && byte < 0xa0) || byte === 0xdc || byte === 0xdd;
  }

  /** Read the next value; lists become arrays, maps become objects. */
  read(): unknown {
    const byte = this.#bytes[this.#place]!;
    if (byte < 0x80) {
      this.#place += 1;
      return byte;
    }
    if ((byte >= 0xa0 && byte < 0xc0) || (byte >= 0xd9 && byte <= 0xdb)) return this.text();
    if (byte >= 0xe0) {
      this.#place += 1;
      return byte - 256;
    }
    if (this.isList) return this.items(1, readValue);
    if (byte < 0x90 || byte === 0xde || byte === 0xdf) return this.#map(byte);
    this.#place += 1;
    return this.#scalar(byte);
  }

  /** Read the head of a list; returns its length. */
  list(): number {
    const byte = this.#bytes[this.#place++]!;
    if (byte >= 0x90 && byte < 0xa0) return byte - 0x90;
    if (byte === 0xdc) return this.#count(2);
    if (byte === 0xdd) return this.#count(4);
    throw unreadable(byte, "a list");
  }

  /** Read a list whose items have `size` values each. */
  items<T>(size: number, readItem: (from: Unpacker) => T): T[] {
    const items: T[] = [];
    for (let left = this.list() / size; left > 0; left--) items.push(readItem(this));
    return items;
  }

  /** Read the next value, a string. */
  text(): string {
    const length = this.#textLength();
    const start = this.#place;
    this.#place += length;
    return this.#bytes.toString("utf8", start, start + length);
  }

  /** Read the next value, a string, as bytes; null for false. */
  bytes(): Buffer | null {
    if (this.#bytes[this.#place] === 0xc2) {
      this.#place += 1;
      return null;
    }
    const length = this.#textLength();
    const start = this.#place;
    this.#place += length;
    return this.#bytes.subarray(start, start + length);
  }

  #textLength(): number {
    const byte = this.#bytes[this.#place++]!;
    if (byte >= 0xa0 && byte < 0xc0) return byte - 0xa0;
    if (byte === 0xd9) return this.#count(1);
    if (byte === 0xda) return this.#count(2);
    if (byte === 0xdb) return this.#count(4);
    throw unreadable(byte, "a text");
  }

  #count(bytes: 1 | 2 | 4): number {
    const count = this.#bytes.readUIntBE(this.#place, bytes);
    this.#place += bytes;
    return count;
  }

  #map(byte: number): Readonly<Record<string, unknown>> {
    this.#place += 1;
    const count = byte < 0x90 ? byte - 0x80 : this.#count(byte === 0xde ? 2 : 4);
    const members: Record<string, unknown> = Object.create(null);
    for (let index = 0; index < count; index++) {
      const name = String(this.read());
      members[name] = this.read();
    }
    return members;
  }

  #scalar(byte: number): unknown {
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xcc:
        return this.#count(1);
      case 0xcd:
        return this.#count(2);
      case 0xce:
        return this.#word();
      case 0xcf:
        return this.#word() * TWO_32 + this.#word();
      case 0xd0:
        return this.#count(1) << 24 >> 24;
      case 0xd1:
        return this.#count(2) << 16 >> 16;
      case 0xd2:
        return this.#word() | 0;
      case 0xd3:
        return (this.#word() | 0) * TWO_32 + this.#word();
      case 0xca:
        this.#place += 4;
        return this.#bytes.readFloatBE(this.#place - 4);
      case 0xcb:
        this.#place += 8;
        return this.#bytes.readDoubleBE(this.#place - 8);
      default:
        throw unreadable(byte, "a value");
    }
  }

  /** Four bytes by hand, since most numbers of a row are times of eight bytes. */
  #word(): number {
    const bytes = this.#bytes;
    const place = this.#place;
    this.#place = place + 4;
    return (bytes[place]! << 24 | bytes[place + 1]! << 16 | bytes[place + 2]! << 8 |
      bytes[place + 3]!) >>> 0;
  }
}

function readValue(from: Unpacker): unknown {
  return from.read();
}

function unreadable(byte: number | undefined, what: string): JobError {
  return new JobError(
    "internal",
    `Cannot read an answer of the server: byte ${byte} where ${what} is wanted`,
  );
}
