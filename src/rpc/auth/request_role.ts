import { JobError } from "../../core/errors.ts";
import { decodeRequest } from "../messages/message_codec.ts";
import type { Role } from "./auth.ts";
import { ScheduleJobRequestSchema } from "../gen/job_pb.ts";
import type { MethodName } from "../handlers/backend.ts";

/** Request fields that require another role than their method, by method. */
export const FIELD_ROLE = {
  // A recurring schedule outlives the token of its caller.
  scheduleJob: { cron: "admin" },
} as const satisfies Partial<Record<MethodName, Readonly<Record<string, Role>>>>;

/**
 * The refusal of a request by its content, to a caller who may call the method; null if allowed. A
 * dry run changes nothing and requires only the method's role. Bytes that cannot be decoded are
 * left to the handler.
 *
 * @param caller null for a caller that was not authenticated
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
