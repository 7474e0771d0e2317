import { type ErrorCode, isJobError } from "./errors.ts";

/** The result of a function, or `instead` if it throws. */
export function orElse<T, Instead>(run: () => T, instead: Instead): T | Instead {
  try {
    return run();
  } catch {
    return instead;
  }
}

/** True if a function does not throw. */
export function succeeds(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

/** The result of a call, or `instead` if it fails with a JobError of one of these codes. */
export async function orElseIf<T, Instead>(
  call: Promise<T>,
  codes: readonly ErrorCode[],
  instead: Instead,
): Promise<T | Instead> {
  try {
    return await call;
  } catch (error) {
    if (isJobError(error) && codes.includes(error.code)) return instead;
    throw error;
  }
}
