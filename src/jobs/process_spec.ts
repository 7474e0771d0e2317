import { JobError, toJobError } from "../core/errors.ts";
import type { ProcessSpec } from "../core/job.ts";
import { isRoot, resolveAccount } from "../platform/accounts.ts";

/** Why this daemon cannot give a job the processes that its table asks for; null when it can. */
export function processProblem(
  kind: string,
  spec: ProcessSpec,
  isolation: "process" | "inline",
): JobError | null {
  const what = `Cannot load job "${kind}"`;
  if (isolation === "inline") {
    return new JobError(
      "invalid_argument",
      `${what}: it has settings of a process and runs inline`,
      {
        hint: 'Set isolation = "process" for it',
        path: "isolation",
      },
    );
  }
  if (typeof spec.nice === "number" && spec.nice < 0 && !isRoot()) {
    return new JobError(
      "permission_denied",
      `${what}: nice is ${spec.nice}, which only root may take`,
      {
        hint: "Use 0 to 19, or run the daemon as root",
        path: "nice",
      },
    );
  }
  // Our own account: nothing can be wrong with it, and thousands of jobs ask.
  if (spec.user === null && spec.group === null) return null;
  try {
    resolveAccount(spec.user, spec.group);
    return null;
  } catch (error) {
    const { code, message, hint } = toJobError(error, what);
    const text = message.replace(/^Cannot run/, `${what} to run`);
    return new JobError(code, text, { hint, path: spec.user === null ? "group" : "user" });
  }
}
