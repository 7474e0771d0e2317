import { JobError } from "../../core/errors.ts";
import type { RemoveSilenceRequest, ScheduleJobRequest } from "../gen/job_pb.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { type Caller, FIELD_ROLE } from "./auth.ts";

/**
 * The refusal of a ScheduleJob request by its content, to a caller who may call the method; null if
 * allowed. A dry run changes nothing and requires only the method's role. Bytes that cannot be
 * decoded are left to the handler.
 *
 * @param caller null for a caller that was not authenticated
 */
export function scheduleRefusal(
  caller: Pick<Caller, "name" | "role"> | null,
  request: Uint8Array,
): JobError | null {
  if (caller?.role === FIELD_ROLE.scheduleJob.cron) return null;
  if (!makesSchedule(request)) return null;
  const { name = "nobody", role = "none" } = caller ?? {};
  return new JobError(
    "permission_denied",
    `Cannot make a recurring schedule as "${name}": its role is ${role}, ` +
      `${FIELD_ROLE.scheduleJob.cron} is needed`,
    { path: "cron", hint: "Put the schedule in the configuration, or use an admin token" },
  );
}

/**
 * The refusal of a SetSilence or RemoveSilence request about everything, to a caller who may call
 * the method; null if allowed. Bytes that cannot be decoded are left to the handler.
 *
 * @param caller null for a caller that was not authenticated
 */
export function silenceRefusal(
  caller: Pick<Caller, "name" | "role"> | null,
  request: Uint8Array,
): JobError | null {
  if (caller?.role === FIELD_ROLE.setSilence.all) return null;
  if (!isOfEverything(request)) return null;
  const { name = "nobody", role = "none" } = caller ?? {};
  return new JobError(
    "permission_denied",
    `Cannot silence everything, or end that, as "${name}": its role is ${role}, ` +
      `${FIELD_ROLE.setSilence.all} is needed`,
    { path: "all", hint: "Name a job, or use an admin token" },
  );
}

/** Both requests have these fields, with the same numbers. */
function isOfEverything(request: Uint8Array): boolean {
  try {
    return decodeRequest<RemoveSilenceRequest>("job.v1.RemoveSilenceRequest", request).all;
  } catch {
    return false;
  }
}

function makesSchedule(request: Uint8Array): boolean {
  try {
    const asked = decodeRequest<ScheduleJobRequest>("job.v1.ScheduleJobRequest", request);
    const { cron = "", dryRun = false } = asked;
    return cron !== "" && !dryRun;
  } catch {
    return false;
  }
}
