/** What a server answers over RESP 2: bulk strings as bytes, simple strings as text, integers, nil as null, arrays, errors. */
export type Reply = Buffer | string | number | null | ReplyError | readonly Reply[];

/** Longest answer or part of one, in bytes: the server's own limit of a bulk string. */
const BULK_BYTES_MAX = 512 * 1024 * 1024;
const ARRAY_LENGTH_MAX = 16_777_216;
/** Longest line: simple strings, errors and lengths. */
const LINE_BYTES_MAX = 65_536;

const CR = 13;

/** An error that the server answered, such as `NOSCRIPT No matching script`. */
export class ReplyError extends Error {
  /** Its first word in capitals, such as "NOSCRIPT"; "ERR" when there is none. */
  readonly kind: string;

  constructor(text: string) {
    super(text);
    this.name = "ReplyError";
    this.kind = /^[A-Z]+(?= |$)/.exec(text)?.[0] ?? "ERR";
  }
}

/** The server broke the protocol: the connection is of no more use. */
export class ProtocolError extends Error {
  constructor(what: string) {
    super(`the server does not speak the protocol of Valkey: ${what}`);
    this.name = "ProtocolError";
  }
}

/** A command's name and arguments as one message. */
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

/** Cuts a stream of bytes into replies, however the network cut it. */
export class ReplyReader {
  readonly #deliver: (reply: Reply) => void;
  readonly #arrays: OpenArray[] = [];
  /** Bytes that are not read yet, from `#at`; further chunks wait until there is enough. */
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes that the next part has at least. */
  #wanted = 1;

  constructor(deliver: (reply: Reply) => void) {
    this.#deliver = deliver;
  }

  /** @throws ProtocolError when this is no reply */
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

  /** Read one value, or the head of an array; false when bytes are missing. */
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
