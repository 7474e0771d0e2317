/** The part of an answer that was read. */
export interface HttpResponse {
  readonly status: number;
  /** By names in small letters; the last of several. */
  readonly headers: ReadonlyMap<string, string>;
  /** The beginning of the body. */
  readonly body: string;
}

/** Longest status line and headers, in bytes. */
const HEAD_BYTES_MAX = 32_768;
/** Most interim answers, 100 to 199, before the final one. */
const INTERIM_MAX = 10;
/** Part of a body that is read, in bytes. */
const BODY_BYTES_MAX = 65_536;

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads an answer of HTTP/1 from its bytes. */
export class ResponseReader {
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | null = null;
  #isComplete = false;
  #problem: string | null = null;
  #interim = 0;

  get isComplete(): boolean {
    return this.#isComplete || this.#problem !== null;
  }

  /** The fault in the answer, as the end of a sentence; null if it is right. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The answer; null before its headers are complete. */
  get response(): HttpResponse | null {
    if (this.#head === null) return null;
    const { status, headers } = this.#head;
    const bytes = this.#bytes.subarray(0, BODY_BYTES_MAX);
    const body = isChunked(this.#head) ? joinChunks(bytes).content : bytes;
    return { status, headers, body: new TextDecoder().decode(body) };
  }

  write(chunk: Uint8Array): void {
    if (this.isComplete) return;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#head === null) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end > HEAD_BYTES_MAX || (end < 0 && this.#bytes.length > HEAD_BYTES_MAX)) {
        this.#problem = "sent more than 32 KiB of headers";
        return;
      }
      if (end < 0) return this.#checkStart();
      const head = readHead(this.#bytes.subarray(0, end).toString("latin1"));
      if (head === null) {
        this.#problem = "sent something other than HTTP";
        return;
      }
      this.#bytes = this.#bytes.subarray(end + 4);
      if (head.status >= 200) this.#head = head;
      else if (++this.#interim > INTERIM_MAX) {
        this.#problem = `sent more than ${INTERIM_MAX} interim responses`;
        return;
      }
    }
    this.#isComplete = this.#bytes.length >= BODY_BYTES_MAX ||
      hasWholeBody(this.#head, this.#bytes);
  }

  // Otherwise a server that speaks first, such as a mail server, would be waited for.
  #checkStart(): void {
    const start = this.#bytes.subarray(0, 7).toString("latin1");
    if (!"HTTP/1.".startsWith(start)) this.#problem = "sent something other than HTTP";
  }
}

function readHead(text: string): Head | null {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.\d (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) return null;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), headers };
}

function isChunked({ headers }: Head): boolean {
  return /chunked/i.test(headers.get("transfer-encoding") ?? "");
}

function hasWholeBody(head: Head, bytes: Buffer): boolean {
  if (head.status === 204 || head.status === 304) return true;
  if (isChunked(head)) return joinChunks(bytes).isLast;
  const length = head.headers.get("content-length");
  return length !== undefined && /^\d+$/.test(length) && bytes.length >= Number(length);
}

/** The available content of chunks. */
function joinChunks(bytes: Buffer): { readonly content: Buffer; readonly isLast: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return { content: Buffer.concat(parts), isLast: false };
    const size = parseInt(bytes.subarray(at, end).toString("latin1"), 16);
    if (!(size > 0)) return { content: Buffer.concat(parts), isLast: true };
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
