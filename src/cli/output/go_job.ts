import type { AnyMessage } from "../../rpc/model/write_json.ts";
import { formatDuration } from "../../core/time/duration.ts";
import type { Job, JobInstance } from "../../rpc/gen/job_pb.ts";
import { messageRecord } from "./message_record.ts";
import type { PlainRecord } from "./view.ts";
import { isoOf, stateName } from "../io/wire.ts";

/**
 * An instance or a job as go-job's clients read it: lists are JSON text, and the reader of jobs
 * refuses other keys. Other messages ignore `--compat`.
 */
export function goJobRecord(message: AnyMessage): PlainRecord {
  if (message.$typeName === "job.v1.JobInstance") return instanceRecord(message as JobInstance);
  if (message.$typeName !== "job.v1.Job") return messageRecord(message);
  const { kind, description } = message as Job;
  return { kind, description };
}

function instanceRecord(instance: JobInstance): PlainRecord {
  const { kind, uuid, state, results, error, priority, maxRetries, timeoutMs } = instance;
  return {
    kind,
    uuid: uuid || undefined,
    state: stateName(state),
    arguments: JSON.stringify(instance.arguments),
    result_set: results.length > 0 ? JSON.stringify(results) : undefined,
    error,
    priority,
    max_retries: maxRetries,
    timeout: formatDuration(Number(timeoutMs)),
    attempts: instance.attempts,
    created_at: isoOf(instance.createdAt),
    scheduled_at: isoOf(instance.scheduledAt),
    processed_at: isoOf(instance.processedAt),
    completed_at: isoOf(instance.completedAt),
    terminated_at: isoOf(instance.terminatedAt),
    canceled_at: isoOf(instance.canceledAt),
    timed_out_at: isoOf(instance.timedOutAt),
  };
}
