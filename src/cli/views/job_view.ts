import { formatDuration } from "../../core/time/duration.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import { membersOf, type Plain, type View, viewOf } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

function signatureOf(job: Job): Plain | undefined {
  try {
    return job.signatureJson === "" ? undefined : JSON.parse(job.signatureJson) as Plain;
  } catch {
    return job.signatureJson;
  }
}

/** The cron expressions of a job; only the first if the daemon sends no others. */
export function schedulesText({ cronSpec, cronSpecs }: Job): string {
  return cronSpecs.length > 1 ? cronSpecs.join("; ") : cronSpec ?? "";
}

/** How registered jobs are shown. */
export const JOB_VIEW: View<Job> = viewOf({
  name: (job) => job.kind,
  fields: {
    ...membersOf<Job>("kind", "description"),
    crontab: (job) => job.cronSpec,
    crontabs: (job) => job.cronSpecs.length > 1 ? job.cronSpecs : undefined,
    ...membersOf<Job>("scheduleAt", "registeredAt", "priority", "maxRetries"),
    timeout: (job) => formatDuration(Number(job.timeoutMs)),
    isolation: (job) => job.isolation || undefined,
    limits: (job) => job.limits.length > 0 ? job.limits : undefined,
    needs: (job) => job.needs.length > 0 ? job.needs : undefined,
    usage: (job) => job.usage || undefined,
    source: (job) => job.source || undefined,
    signature: signatureOf,
    timezone: (job) => job.timezone,
  },
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
});
