import type { JobError } from "../../core/errors.ts";
import { HTTP_STATUS } from "../../core/http_status.ts";
import type { PlainResponse } from "../request/http_types.ts";
import { reasonOf } from "../wire/response_head.ts";

/** The body of an error, RFC 9457, as JSON text. */
export function problemText(
  error: JobError,
  status: number = HTTP_STATUS[error.code],
): string {
  return JSON.stringify({
    type: "about:blank",
    title: reasonOf(status),
    status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    path: error.path,
  });
}

/** The response to a request that failed. @param status replaces the status of the error's code */
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
