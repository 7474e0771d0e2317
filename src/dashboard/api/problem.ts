/** A request that failed: the API's message, or why there was no response. */
export class Problem extends Error {
  /** The status of HTTP; 0 without a response. */
  readonly status: number;
  /** Code of the error, such as "not_found"; "unreachable" without a response. */
  readonly code: string;
  /** A possible remedy. */
  readonly hint: string | undefined;
  /** The affected field, such as "arguments.width". */
  readonly path: string | undefined;

  constructor(
    message: string,
    about: {
      readonly status: number;
      readonly code: string;
      readonly hint?: string;
      readonly path?: string;
    },
  ) {
    super(message);
    this.status = about.status;
    this.code = about.code;
    this.hint = about.hint;
    this.path = about.path;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The problem in a response, by RFC 9457 or otherwise. */
export async function problemOf(response: Response): Promise<Problem> {
  return problemIn(await response.json().catch(() => null), response.status);
}

/** The problem in a body. */
export function problemIn(body: unknown, status: number): Problem {
  const found = typeof body === "object" && body !== null ? body as Record<string, unknown> : {};
  const message = textOf(found.detail) ?? textOf(found.title) ??
    `The daemon responded with status ${status}`;
  return new Problem(message, {
    status,
    code: textOf(found.code) ?? "unknown",
    hint: textOf(found.hint),
    path: textOf(found.path),
  });
}

/** Any thrown value as a problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    return new Problem("Cannot reach the daemon", {
      status: 0,
      code: "unreachable",
      hint: "It may be restarting. This page tries again by itself",
    });
  }
  return new Problem(error instanceof Error ? error.message : String(error), {
    status: 0,
    code: "internal",
  });
}
