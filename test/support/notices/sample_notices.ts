import type { Notice } from "../../../src/core/notices/notice.ts";

/** The id of {@link sampleNotice}. */
export const NOTICE_ID = "0195a000-0000-7000-8000-000000000001";
/** The incident of {@link sampleNotice}. */
export const INCIDENT_ID = "0195a000-0000-7000-8000-000000000002";
/** The run of {@link sampleNotice}. */
export const RUN_ID = "0195a000-0000-7000-8000-000000000003";
const AT = Date.UTC(2026, 0, 15, 9, 30, 0);

/** A failed run of the job "backup", with `changes`. */
export function sampleNotice(changes: Partial<Notice> = {}): Notice {
  return {
    id: NOTICE_ID,
    type: "failed",
    at: AT,
    subject: { type: "job", name: "backup" },
    host: "db1",
    node: "berlin",
    title: 'backup failed: Command "tar" exited with code 2',
    facts: ['Command "tar" exited with code 2', "Ran for 1m", "Attempt 2"],
    isReminder: false,
    run: {
      id: RUN_ID,
      state: "terminated",
      reason: "error",
      attempt: 2,
      scheduleId: "backup#0",
      scheduledFor: AT - 61_000,
      dueAt: AT - 61_000,
      startedAt: AT - 60_000,
      finishedAt: AT,
      durationMs: 60_000,
      error: { name: "CommandError", message: 'Command "tar" exited with code 2', exitCode: 2 },
      version: "v12",
      node: "berlin",
    },
    incident: {
      id: INCIDENT_ID,
      openedAt: AT,
      closedAt: null,
      count: 1,
      lastError: 'CommandError: Command "tar" exited with code 2',
      acknowledgedBy: null,
    },
    output: ["tar: /srv: Cannot open: Permission denied", "tar: Exiting with failure status"],
    command: `jobctl explain ${RUN_ID}`,
    items: [],
    ...changes,
  };
}

/** A digest of two jobs. */
export function sampleDigest(): Notice {
  const item = { firstAt: AT - 60_000, lastAt: AT, detail: "exit code 1", instanceId: RUN_ID };
  return sampleNotice({
    type: "digest",
    title: "3 events of 2 jobs",
    subject: { type: "channel", name: "ops" },
    facts: [],
    run: null,
    incident: null,
    output: [],
    items: [
      { event: "failed", subject: { type: "job", name: "a" }, count: 2, ...item },
      { event: "missed", subject: { type: "job", name: "b" }, count: 1, ...item },
      { event: "recovered", subject: { type: "job", name: "a" }, count: 1, ...item },
    ],
  });
}
