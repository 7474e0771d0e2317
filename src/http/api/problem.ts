import type { JobError } from "../../core/errors.ts";
import { HTTP_STATUS } from "../../core/http_status.ts";
import type { PlainResponse } from "../request/http_types.ts";

/** Titles of the statuses that errors have. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** The body of an error, RFC 9457, as JSON text. */
export function problemText(
  error: JobError,
  status: number = HTTP_STATUS[error.code],
): string {
  return JSON.stringify({
    type: "about:blank",
    title: TITLES[status] ?? "Error",
    status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    path: error.path,
  });
}

/**
 * The response to a request that failed.
 *
 * @param status unless it is that of the error's code
 */
export function problemResponse(
  error: JobError,
  status: number = HTTP_STATUS[error.code],
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="jobctl"' } : {}),
      ...(status === 429 || status === 503 ? { "retry-after": "1" } : {}),
      ...headers,
    },
    body: problemText(error, status),
  };
}
