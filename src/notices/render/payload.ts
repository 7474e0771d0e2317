import type { DigestItem, Notice, NoticeIncident, NoticeRun } from "../../core/notices/notice.ts";

/**
 * A notice as programs receive it: the body of a webhook, the input of a program. Times are ISO
 * 8601 in UTC, keys in snake case, and absent values are null.
 */
export function noticePayload(notice: Notice, channel: string) {
  return {
    id: notice.id,
    event: notice.type,
    at: time(notice.at),
    channel,
    title: notice.title,
    facts: [...notice.facts],
    subject: { type: notice.subject.type, name: notice.subject.name },
    job: notice.subject.type === "job" ? notice.subject.name : null,
    host: notice.host,
    node: notice.node,
    is_reminder: notice.isReminder,
    run: notice.run === null ? null : runPayload(notice.run),
    incident: notice.incident === null ? null : incidentPayload(notice.incident),
    output: [...notice.output],
    command: notice.command,
    items: notice.items.map(itemPayload),
  };
}

/** The form of {@link noticePayload}. */
export type NoticePayload = ReturnType<typeof noticePayload>;

function runPayload(run: NoticeRun) {
  const { error } = run;
  return {
    id: run.id,
    state: run.state === "timedOut" ? "timed_out" : run.state,
    reason: run.reason,
    attempt: run.attempt,
    schedule_id: run.scheduleId,
    scheduled_for: time(run.scheduledFor),
    due_at: time(run.dueAt),
    started_at: time(run.startedAt),
    finished_at: time(run.finishedAt),
    duration_ms: run.durationMs,
    error: error === null ? null : {
      name: error.name,
      message: error.message,
      stack: error.stack ?? null,
      exit_code: error.exitCode ?? null,
      signal: error.signal ?? null,
    },
    version: run.version,
    node: run.node,
  };
}

function incidentPayload(incident: NoticeIncident) {
  return {
    id: incident.id,
    opened_at: time(incident.openedAt),
    closed_at: time(incident.closedAt),
    count: incident.count,
    last_error: incident.lastError,
    acknowledged_by: incident.acknowledgedBy,
  };
}

function itemPayload(item: DigestItem) {
  return {
    event: item.event,
    subject: { type: item.subject.type, name: item.subject.name },
    count: item.count,
    first_at: time(item.firstAt),
    last_at: time(item.lastAt),
    detail: item.detail,
    instance_id: item.instanceId,
  };
}

function time(at: number): string;
function time(at: number | null): string | null;
function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
