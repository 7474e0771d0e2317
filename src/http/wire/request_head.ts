import type { IncomingHttpHeaders } from "node:http";
import { JobError } from "../../core/errors.ts";

/** The first lines of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as the client wrote them; begins with a slash. */
  readonly target: string;
  /** By name in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Delimiter of the body: its length in bytes, 0 for none, or the last chunk. */
  readonly framing: number | "chunked";
  /** True for HTTP/1.0, which has no chunks. */
  readonly isOld: boolean;
  /** True if the connection may carry another request. */
  readonly isPersistent: boolean;
  /** True if the client waits for a signal before it sends its body. */
  readonly awaitsContinue: boolean;
}

/** Why a request is invalid: the status of the response, and the fault. */
export interface RequestProblem {
  readonly status: number;
  readonly problem: string;
}

/** The error for a request that cannot be read. */
export function requestError({ status, problem }: RequestProblem): JobError {
  const code = status === 413 ? "resource_exhausted" : "invalid_argument";
  return new JobError(code, `Cannot read the request: ${problem}`);
}

const FIELDS_MAX = 100;
const LINE_END = "\r\n";
const BLANK = 0x20;
const REQUEST_LINE = /^([A-Z]{1,20}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
/** A line with one field. It is only tested: an array of matches costs more than the test. */
const FIELD = /[!#$%&'*+\-.^_`|~\dA-Za-z]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|$)/y;
const CLOSE = /(?:^|,)\s*close\s*(?:,|$)/i;
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/** Fields that define a request and its sender. Proxies could read duplicates differently. */
const SINGLE: ReadonlySet<string> = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "idempotency-key",
  "origin",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "transfer-encoding",
]);

/**
 * Read the first lines of a request, RFC 9112, without the empty line that ends them. Ambiguous
 * syntax is refused: folded lines, bare line feeds, two lengths.
 *
 * @param text the bytes, each as one character
 */
export function readHead(text: string): RequestHead | RequestProblem {
  const end = text.indexOf(LINE_END);
  const line = end === -1 ? text : text.slice(0, end);
  const first = REQUEST_LINE.exec(line);
  if (first === null) {
    return / HTTP\/(?!1\.[01]$)\d/.test(line)
      ? { status: 505, problem: "only HTTP/1.1 is spoken here" }
      : bad("the request line cannot be read");
  }
  const headers: Headers = Object.create(null);
  const problem = end === -1 ? null : readFields(text, end + LINE_END.length, headers);
  if (problem !== null) return problem;
  let target = first[2]!;
  if (!target.startsWith("/")) {
    const absolute = ABSOLUTE.exec(target);
    if (absolute === null) return bad("the target must be a path");
    // The authority of an absolute target takes precedence over the field.
    headers.host = absolute[1]!;
    target = absolute[2]!.replace(/^(?!\/)/, "/");
  }
  const isOld = first[3] === "0";
  const framing = readFraming(headers, isOld);
  if (typeof framing === "object") return framing;
  const { connection, expect } = headers;
  return {
    method: first[1]!,
    target,
    headers,
    framing,
    isOld,
    isPersistent: !isOld && !(connection !== undefined && CLOSE.test(connection)),
    awaitsContinue: expect !== undefined && expect.toLowerCase() === "100-continue",
  };
}

function bad(problem: string): RequestProblem {
  return { status: 400, problem };
}

/** Fields by name. A field may have any name, such as "__proto__". */
type Headers = Record<string, string>;

/** Read the fields of a head from `start` on. Returns their fault, or null. */
function readFields(text: string, start: number, headers: Headers): RequestProblem | null {
  let count = 0;
  for (let at = start; at < text.length; at = FIELD.lastIndex) {
    count += 1;
    if (count > FIELDS_MAX) {
      return { status: 431, problem: `more than ${FIELDS_MAX} header fields` };
    }
    FIELD.lastIndex = at;
    if (!FIELD.test(text)) return bad("a header field cannot be read");
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon).toLowerCase();
    const value = trimmed(text, colon + 1, FIELD.lastIndex);
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (SINGLE.has(name)) return bad(`the header field "${name}" occurs twice`);
    else headers[name] = name === "cookie" ? `${before}; ${value}` : `${before}, ${value}`;
  }
  return null;
}

/** A part of a head without the blanks and the line end around it. */
function trimmed(text: string, start: number, end: number): string {
  while (start < end && text.charCodeAt(start) <= BLANK) start++;
  while (start < end && text.charCodeAt(end - 1) <= BLANK) end--;
  return text.slice(start, end);
}

/** The framing of the body, RFC 9112 6.3. */
function readFraming(
  headers: IncomingHttpHeaders,
  isOld: boolean,
): RequestHead["framing"] | RequestProblem {
  const { "content-length": length, "transfer-encoding": encoding } = headers;
  if (encoding !== undefined) {
    if (length !== undefined || isOld) return bad("the length of the body is ambiguous");
    return encoding.toLowerCase() === "chunked"
      ? "chunked"
      : { status: 501, problem: "only the transfer encoding chunked is known" };
  }
  if (length === undefined) return 0;
  return /^\d{1,15}$/.test(length) ? Number(length) : bad("the content length is not a number");
}
