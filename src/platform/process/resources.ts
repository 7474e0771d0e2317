import { closeSync, openSync } from "node:fs";
import { errorCode } from "../../core/errors.ts";

/**
 * Error codes of a system that is out of descriptors, processes, memory or space. The request
 * itself is fine, and works once others have released theirs.
 */
const RESOURCE_CODES: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "EAGAIN",
  "ENOMEM",
  "ENOBUFS",
  "ENOSPC",
  "EDQUOT",
]);

/** The same conditions in the last words of programs. */
const RESOURCE_TEXT =
  /\b(EMFILE|ENFILE|EAGAIN|ENOMEM|too many open files|resource temporarily unavailable|cannot allocate memory|can't fork|cannot fork|no child processes available|SystemResources|ProcessFdQuotaExceeded|ThreadQuotaExceeded)\b/i;
/** Number of nested causes that are searched. */
const CAUSES_MAX = 5;

/** True if an error, or one of its causes, means that the system is out of a resource. */
export function isResourceError(thrown: unknown): boolean {
  let error = thrown;
  for (let depth = 0; depth <= CAUSES_MAX && error !== null && error !== undefined; depth++) {
    const code = errorCode(error);
    if (code !== undefined && RESOURCE_CODES.has(code)) return true;
    error = (error as { readonly cause?: unknown }).cause;
  }
  return false;
}

/**
 * The missing resource that made a module fail to load; null if it failed for another reason.
 * Runtimes only report a missing file, so this tries whether the process can open any file at all.
 */
export function loadStarvation(thrown: unknown): unknown {
  if (isResourceError(thrown)) return thrown;
  try {
    closeSync(openSync("/dev/null", "r"));
    return null;
  } catch (error) {
    return isResourceError(error) ? error : null;
  }
}

/** True if the end of a program's output says that it ran out of a resource. */
export function saysResource(text: string): boolean {
  return RESOURCE_TEXT.test(text);
}
