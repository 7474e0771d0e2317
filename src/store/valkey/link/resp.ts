/** A RESP 2 reply: bulk strings are bytes, simple strings are text, nil is null. */
export type Reply = Buffer | string | number | null | ReplyError | readonly Reply[];

/** Longest bulk string in bytes; the server has the same limit. */
const BULK_BYTES_MAX = 512 * 1024 * 1024;
const ARRAY_LENGTH_MAX = 16_777_216;
/** Longest line, in bytes: simple strings, errors and lengths. */
const LINE_BYTES_MAX = 65_536;

const CR = 13;

/** An error reply, such as `NOSCRIPT No matching script`. */
export class ReplyError extends Error {
  /** Its first word in capitals, such as "NOSCRIPT"; "ERR" without one. */
  readonly kind: string;

  constructor(text: string) {
    super(text);
    this.name = "ReplyError";
    this.kind = /^[A-Z]+(?= |$)/.exec(text)?.[0] ?? "ERR";
  }
}

/** The server violated the protocol. The connection cannot be used any longer. */
export class ProtocolError extends Error {
  constructor(what: string) {
    super(`the server does not speak Valkey's protocol: ${what}`);
    this.name = "ProtocolError";
  }
}

/** Encode a command and its arguments. */
export function encodeCommand(parts: readonly (string | Uint8Array)[]): Buffer {
  const heads: string[] = [];
  let bytes = 0;
  for (const [index, part] of parts.entries()) {
    const length = typeof part === "string" ? Buffer.byteLength(part) : part.byteLength;
    const head = index === 0 ? `*${parts.length}\r\n$${length}\r\n` : `\r\n$${length}\r\n`;
    heads.push(head);
    bytes += head.length + length;
  }
  const message = Buffer.allocUnsafe(bytes + 2);
  let at = 0;
  for (const [index, part] of parts.entries()) {
    at += message.write(heads[index]!, at, "latin1");
    if (typeof part === "string") at += message.write(part, at, "utf8");
    else {
      message.set(part, at);
      at += part.byteLength;
    }
  }
  message.write("\r\n", at, "latin1");
  return message;
}

interface OpenArray {
  readonly items: Reply[];
  readonly length: number;
}

/** Splits a stream of bytes into replies, independent of the pieces in which they arrive. */
export class ReplyReader {
  readonly #deliver: (reply: Reply) => void;
  readonly #arrays: OpenArray[] = [];
  /** Unread bytes start at `#at`. Further chunks are collected until `#wanted` bytes are there. */
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Least number of bytes of the next part. */
  #wanted = 1;

  constructor(deliver: (reply: Reply) => void) {
    this.#deliver = deliver;
  }

  /** Add a chunk. @throws ProtocolError if it does not fit into a reply */
  write(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#buffer.length - this.#at + this.#waitingBytes < this.#wanted) return;
    const rest = this.#buffer.subarray(this.#at);
    const parts = rest.length === 0 ? this.#waiting : [rest, ...this.#waiting];
    this.#buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    this.#at = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#wanted = 1;
    while (this.#at < this.#buffer.length && this.#readPart()) { /* the next one */ }
  }

  /** Read one value, or the head of an array. Returns false if bytes are missing. */
  #readPart(): boolean {
    const start = this.#at;
    const end = this.#buffer.indexOf(CR, start);
    if (end < 0 || end + 1 >= this.#buffer.length) {
      if (this.#buffer.length - start > LINE_BYTES_MAX) throw new ProtocolError("an endless line");
      this.#wanted = this.#buffer.length - start + 1;
      return false;
    }
    const type = this.#buffer[start]!;
    this.#at = end + 2;
    switch (type) {
      case 36: // $
        return this.#readBulk(start, this.#length(start, end, BULK_BYTES_MAX));
      case 42: { // *
        const length = this.#length(start, end, ARRAY_LENGTH_MAX);
        if (length <= 0) this.#add(length < 0 ? null : []);
        else this.#arrays.push({ items: [], length });
        return true;
      }
      case 58: // :
        this.#add(Number(this.#line(start, end)));
        return true;
      case 43: // +
        this.#add(this.#line(start, end));
        return true;
      case 45: // -
        this.#add(new ReplyError(this.#line(start, end)));
        return true;
      default:
        throw new ProtocolError(`found the byte ${type}`);
    }
  }

  #readBulk(start: number, length: number): boolean {
    if (length < 0) {
      this.#add(null);
      return true;
    }
    const from = this.#at;
    if (from + length + 2 > this.#buffer.length) {
      this.#wanted = from + length + 2 - start;
      this.#at = start;
      return false;
    }
    this.#at = from + length + 2;
    this.#add(this.#buffer.subarray(from, from + length));
    return true;
  }

  #line(start: number, end: number): string {
    return this.#buffer.toString("utf8", start + 1, end);
  }

  #length(start: number, end: number, max: number): number {
    const text = this.#line(start, end);
    const length = Number(text);
    if (!/^(-1|\d{1,10})$/.test(text) || length > max) throw new ProtocolError("a bad length");
    return length;
  }

  #add(value: Reply): void {
    for (;;) {
      const open = this.#arrays.at(-1);
      if (!open) return this.#deliver(value);
      open.items.push(value);
      if (open.items.length < open.length) return;
      this.#arrays.pop();
      value = open.items;
    }
  }
}
