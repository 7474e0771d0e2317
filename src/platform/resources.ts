import { closeSync, openSync } from "node:fs";
import { errorCode } from "../core/errors.ts";

/**
 * What the system answers when it has no descriptor, process, memory or space to give: nothing is wrong with what was asked, and
 * it works once others have given theirs back.
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

/** The same as programs write it when they end by it. */
const RESOURCE_TEXT =
  /\b(EMFILE|ENFILE|EAGAIN|ENOMEM|too many open files|resource temporarily unavailable|cannot allocate memory|can't fork|cannot fork|no child processes available|SystemResources|ProcessFdQuotaExceeded|ThreadQuotaExceeded)\b/i;
/** How deep causes are looked through. */
const CAUSES_MAX = 5;

/** Whether something could not be had for want of a resource of the system; also by the error's cause. */
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
 * The want of a resource by which the load of a module failed; null when it failed by something else. Runtimes say only that they
 * do not find the file, so that it is tried whether this process can open one at all.
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

/** Whether a program's last words say that it ended for want of a resource. */
export function saysResource(text: string): boolean {
  return RESOURCE_TEXT.test(text);
}
