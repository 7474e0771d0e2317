import { JobError } from "../core/errors.ts";
import { decodeRequest } from "./adapter.ts";
import type { Role } from "./auth.ts";
import { ScheduleJobRequestSchema } from "./gen/job_pb.ts";
import type { MethodName } from "./handlers.ts";

/** Fields of a request that ask for another role than its method, by method. */
export const FIELD_ROLE = {
  // What recurs goes on when its caller's token is gone.
  scheduleJob: { cron: "admin" },
} as const satisfies Partial<Record<MethodName, Readonly<Record<string, Role>>>>;

/**
 * Why a caller may not make a request of a method that it may call; null when it may. A dry run changes nothing, and needs no
 * more than the method. Bytes that are no such request are left to whoever answers.
 *
 * @param caller null for one that nobody let in
 */
export function requestRefusal(
  caller: { readonly name: string; readonly role: Role } | null,
  method: MethodName,
  request: Uint8Array,
): JobError | null {
  if (method !== "scheduleJob" || caller?.role === FIELD_ROLE.scheduleJob.cron) return null;
  if (!makesSchedule(request)) return null;
  const { name = "nobody", role = "none" } = caller ?? {};
  return new JobError(
    "permission_denied",
    `Cannot make a recurring schedule as "${name}": its role is ${role}, ` +
      `${FIELD_ROLE.scheduleJob.cron} is needed`,
    { path: "cron", hint: "Put the schedule in the configuration, or use an admin token" },
  );
}

function makesSchedule(request: Uint8Array): boolean {
  try {
    const { cron = "", dryRun = false } = decodeRequest(ScheduleJobRequestSchema, request);
    return cron !== "" && !dryRun;
  } catch {
    return false;
  }
}
