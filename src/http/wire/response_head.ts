import { STATUS_CODES } from "node:http";
import { JobError } from "../../core/errors.ts";

/** Reason phrases of RFC 9110, section 15, where Node's are older, and one that it lacks. */
const REASONS: Readonly<Record<number, string>> = {
  413: "Content Too Large",
  422: "Unprocessable Content",
  499: "Client Closed Request",
};

/** The reason phrase of a status. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? STATUS_CODES[status] ?? "";
}

const UNSAFE = /[^\t\x20-\x7e]/;
/** Idle connections are closed a little later: clients that know this do not race with it. */
const KEEP_ALIVE = "connection: keep-alive\r\nkeep-alive: timeout=15\r\n";
const CLOSE = "connection: close\r\n";

let dateSecond = -1;
let dateField = "";

/** The field with the time, which is the same for a second. */
function dateAt(nowMs: number): string {
  const second = Math.floor(nowMs / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateField = `date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return dateField;
}

/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  /** Visible ASCII; without the length of the body and fields about the connection. */
  readonly headers: Readonly<Record<string, string>>;
  /** In bytes; "chunked", or undefined if it has no body or ends with the connection. */
  readonly length: number | "chunked" | undefined;
  /** True if the connection closes after it. */
  readonly isLast: boolean;
  /** Epoch ms. */
  readonly nowMs: number;
}

/**
 * The first lines of a response, with the empty line that ends them.
 *
 * @throws JobError `internal` for a header that would end early
 */
export function writeHead({ status, headers, length, isLast, nowMs }: ResponseHead): string {
  let text = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  for (const name in headers) {
    const value = headers[name]!;
    if (UNSAFE.test(value)) {
      throw new JobError("internal", `Cannot send the header "${name}": it is not visible ASCII`);
    }
    text += `${name}: ${value}\r\n`;
  }
  if (length === "chunked") text += "transfer-encoding: chunked\r\n";
  else if (length !== undefined) text += `content-length: ${length}\r\n`;
  return `${text}${dateAt(nowMs)}${isLast ? CLOSE : KEEP_ALIVE}\r\n`;
}
