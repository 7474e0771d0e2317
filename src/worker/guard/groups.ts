import { errorCode } from "../../core/errors.ts";

/** Signal a whole process group. Does nothing if the group is gone. */
export function killGroup(
  group: number,
  signal: "SIGTERM" | "SIGSTOP" | "SIGCONT" | "SIGKILL",
): void {
  // Group 0 is our own and 1 would be everything.
  if (!Number.isInteger(group) || group <= 1) return;
  try {
    process.kill(-group, signal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}
