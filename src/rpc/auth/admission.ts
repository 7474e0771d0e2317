import { JobError } from "../../core/errors.ts";
import type { CallTracker, TrackedCall } from "../guard/call_tracker.ts";
import { CALLS_OF_PRINCIPAL_MAX } from "../limits.ts";
import { type Caller, type CallName, OWNER } from "./auth.ts";

/**
 * Decide on a call as soon as its headers have arrived, and name its caller to the tracker. Returns
 * its caller, or the refusal.
 *
 * @param method undefined for a method that needs no authentication
 * @param check the caller of an allowed call of a method, or the refusal
 */
export function admitCall(
  call: TrackedCall,
  { tracker, method, check }: {
    readonly tracker: CallTracker;
    readonly method: CallName | undefined;
    readonly check: (method: CallName) => Caller | JobError;
  },
): Caller | JobError {
  if (method === undefined) return OWNER;
  const caller = check(method);
  if (caller instanceof JobError && caller.code === "unauthenticated") tracker.refuse(call);
  else {
    // Every authenticated caller may call GetVersion: this finds one with no further rights.
    const known = caller instanceof JobError ? check("getVersion") : caller;
    tracker.admit(call, principalOf(known));
  }
  return tracker.isTooMany(call) ? tooManyCalls() : caller;
}

/** The principal of a caller; null for anonymous callers. */
function principalOf(caller: Caller | JobError): string | null {
  return caller instanceof JobError || caller === OWNER ? null : `caller ${caller.name}`;
}

function tooManyCalls(): JobError {
  return new JobError(
    "resource_exhausted",
    `Cannot accept the call: this caller has ${CALLS_OF_PRINCIPAL_MAX} calls open`,
    { hint: "Wait for some of them to end, or try again later" },
  );
}
