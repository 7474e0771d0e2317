import { formatDuration } from "../../core/time/duration.ts";
import type { Job } from "../../rpc/gen/job_pb.ts";
import type { Plain, PlainRecord } from "../output/plain.ts";
import type { View } from "../output/view.ts";
import { isoOf } from "../wire.ts";
import { textCell, timeCell } from "./instance_view.ts";

function signatureOf(job: Job): Plain | undefined {
  try {
    return job.signatureJson === "" ? undefined : JSON.parse(job.signatureJson) as Plain;
  } catch {
    return job.signatureJson;
  }
}

function record(job: Job): PlainRecord {
  return {
    kind: job.kind,
    description: job.description,
    crontab: job.cronSpec,
    crontabs: job.cronSpecs.length > 1 ? job.cronSpecs : undefined,
    schedule_at: isoOf(job.scheduleAt),
    registered_at: isoOf(job.registeredAt),
    priority: job.priority,
    max_retries: job.maxRetries,
    timeout: formatDuration(Number(job.timeoutMs)),
    isolation: job.isolation || undefined,
    limits: job.limits.length > 0 ? job.limits : undefined,
    needs: job.needs.length > 0 ? job.needs : undefined,
    usage: job.usage || undefined,
    source: job.source || undefined,
    signature: signatureOf(job),
    timezone: job.timezone,
  };
}

/** The cron expressions of a job; only the first if the daemon sends no others. */
export function schedulesText({ cronSpec, cronSpecs }: Job): string {
  return cronSpecs.length > 1 ? cronSpecs.join("; ") : cronSpec ?? "";
}

/** How registered jobs are shown. */
export const JOB_VIEW: View<Job> = {
  name: (job) => job.kind,
  record,
  keys: [
    "kind",
    "description",
    "crontab",
    "crontabs",
    "schedule_at",
    "registered_at",
    "priority",
    "max_retries",
    "timeout",
    "isolation",
    "limits",
    "needs",
    "usage",
    "source",
    "signature",
    "timezone",
  ],
  columns: [
    { title: "KIND", cell: (job) => textCell(job.kind) },
    { title: "SCHEDULE", cell: (job) => textCell(schedulesText(job)) },
    { title: "USAGE", isFlexible: true, cell: (job) => textCell(job.usage) },
    { title: "PRIORITY", isWide: true, cell: (job) => textCell(job.priority) },
    {
      title: "TIMEOUT",
      isWide: true,
      cell: (job) => textCell(formatDuration(Number(job.timeoutMs))),
    },
    { title: "RETRIES", isWide: true, cell: (job) => textCell(job.maxRetries) },
    { title: "REGISTERED", isWide: true, cell: (job, at) => timeCell(job.registeredAt, at) },
    { title: "SOURCE", isWide: true, cell: (job) => textCell(job.source) },
    { title: "DESCRIPTION", isFlexible: true, cell: (job) => textCell(job.description) },
  ],
};
