import type { IncomingHttpHeaders } from "node:http";
import { JobError } from "../../core/errors.ts";

/** The first lines of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as the client wrote them; begins with a slash. */
  readonly target: string;
  /** By name in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** How the body ends: by its length in bytes, 0 for none, or by a last chunk. */
  readonly framing: number | "chunked";
  /** True for HTTP/1.0, which has no chunks. */
  readonly isOld: boolean;
  /** True if the connection may carry another request. */
  readonly isPersistent: boolean;
  /** True if the client sends its body once it is told to. */
  readonly awaitsContinue: boolean;
}

/** Why a request cannot be read: the status of the response, and what is wrong. */
export interface RequestProblem {
  readonly status: number;
  readonly problem: string;
}

/** The error for a request that cannot be read. */
export function requestError({ status, problem }: RequestProblem): JobError {
  const code = status === 413 ? "resource_exhausted" : "invalid_argument";
  return new JobError(code, `Cannot read the request: ${problem}`);
}

/** Most header fields of a request. */
const FIELDS_MAX = 100;
const REQUEST_LINE = /^([A-Z]{1,20}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+\-.^_`|~\dA-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/**
 * Fields that decide what a request is and who sends it. Two of one could be read differently by a
 * proxy and here, so they are refused.
 */
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
 * Read the first lines of a request, RFC 9112, without the empty line that ends them. What two
 * readers could understand differently is refused: folded lines, bare line feeds, two lengths.
 *
 * @param text the bytes, each as one character
 */
export function readHead(text: string): RequestHead | RequestProblem {
  const lines = text.split("\r\n");
  const first = REQUEST_LINE.exec(lines[0]!);
  if (first === null) {
    return / HTTP\/(?!1\.[01]$)\d/.test(lines[0]!)
      ? { status: 505, problem: "only HTTP/1.1 is spoken here" }
      : bad("the request line cannot be read");
  }
  if (lines.length > FIELDS_MAX + 1) {
    return { status: 431, problem: `more than ${FIELDS_MAX} header fields` };
  }
  const headers = readFields(lines);
  if (typeof headers === "string") return bad(headers);
  const absolute = ABSOLUTE.exec(first[2]!);
  // The authority of such a target takes precedence over the field.
  if (absolute) headers.host = absolute[1]!;
  const target = absolute ? absolute[2]!.replace(/^(?!\/)/, "/") : first[2]!;
  if (!target.startsWith("/")) return bad("the target must be a path");
  const isOld = first[3] === "0";
  const framing = readFraming(headers, isOld);
  if (typeof framing === "object") return framing;
  return {
    method: first[1]!,
    target,
    headers,
    framing,
    isOld,
    isPersistent: !isOld && !hasWord(headers.connection, "close"),
    awaitsContinue: headers.expect?.toLowerCase() === "100-continue",
  };
}

function bad(problem: string): RequestProblem {
  return { status: 400, problem };
}

/** The fields by name, or what is wrong with them. */
function readFields(lines: readonly string[]): IncomingHttpHeaders | string {
  // A field may have any name, such as "__proto__".
  const headers: Record<string, string> = Object.create(null);
  for (let index = 1; index < lines.length; index++) {
    const field = FIELD.exec(lines[index]!);
    if (field === null) return "a header field cannot be read";
    const name = field[1]!.toLowerCase();
    const value = field[2]!.trimEnd();
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (SINGLE.has(name)) return `the header field "${name}" occurs twice`;
    else headers[name] = name === "cookie" ? `${before}; ${value}` : `${before}, ${value}`;
  }
  return headers;
}

/** How the body ends, RFC 9112 6.3. */
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

/** True if a field that lists words has one of them. */
function hasWord(value: string | undefined, word: string): boolean {
  return value !== undefined &&
    value.toLowerCase().split(",").some((each) => each.trim() === word);
}
