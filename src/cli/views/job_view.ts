import { formatDuration } from "../../core/time/duration.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import type { MessageView } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

/** The cron expressions of a job; only the first if the daemon sends no others. */
export function schedulesText({ cronSpec, cronSpecs }: Job): string {
  return cronSpecs.length > 1 ? cronSpecs.join("; ") : cronSpec ?? "";
}

/** The parameters in the usage of a job, which begins with its kind. */
function parametersText({ kind, usage }: Job): string {
  return usage.startsWith(kind) ? usage.slice(kind.length).trim() : usage;
}

/** View of registered jobs. */
export const JOB_VIEW: MessageView<Job> = {
  message: "Job",
  name: (job) => job.kind,
  columns: [
    { title: "KIND", weight: 9, least: 24, cell: (job) => job.kind },
    { title: "SCHEDULE", weight: 8, least: 12, cell: schedulesText },
    { title: "ARGUMENTS", weight: 4, least: 16, cell: parametersText },
    { title: "PRIORITY", isWide: true, isNumber: true, cell: (job) => job.priority },
    { title: "TIMEOUT", isWide: true, cell: (job) => formatDuration(Number(job.timeoutMs)) },
    { title: "RETRIES", isWide: true, isNumber: true, cell: (job) => job.maxRetries },
    { title: "REGISTERED", isWide: true, cell: (job, at) => shortTime(job.registeredAt, at) },
    { title: "SOURCE", isWide: true, cell: (job) => job.source },
    { title: "DESCRIPTION", weight: 6, least: 20, cell: (job) => job.description },
  ],
};
