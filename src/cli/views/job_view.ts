import { formatDuration } from "../../core/time/duration.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import type { MessageView } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

/** The cron expressions of a job; only the first if the daemon sends no others. */
export function schedulesText({ cronSpec, cronSpecs }: Job): string {
  return cronSpecs.length > 1 ? cronSpecs.join("; ") : cronSpec ?? "";
}

/** How registered jobs are shown. */
export const JOB_VIEW: MessageView<Job> = {
  message: "Job",
  name: (job) => job.kind,
  columns: [
    { title: "KIND", cell: (job) => job.kind },
    { title: "SCHEDULE", cell: schedulesText },
    { title: "USAGE", isFlexible: true, cell: (job) => job.usage },
    { title: "PRIORITY", isWide: true, cell: (job) => job.priority },
    { title: "TIMEOUT", isWide: true, cell: (job) => formatDuration(Number(job.timeoutMs)) },
    { title: "RETRIES", isWide: true, cell: (job) => job.maxRetries },
    { title: "REGISTERED", isWide: true, cell: (job, at) => shortTime(job.registeredAt, at) },
    { title: "SOURCE", isWide: true, cell: (job) => job.source },
    { title: "DESCRIPTION", isFlexible: true, cell: (job) => job.description },
  ],
};
