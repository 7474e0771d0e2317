import type { Incident } from "../core/notices/incident.ts";
import type {
  Notice,
  NoticeCommand,
  NoticeEvent,
  NoticeRun,
  NoticeSubject,
} from "../core/notices/notice.ts";
import { commandOf, factsOf, titleOf } from "../core/notices/notice_text.ts";
import { type ChannelSettings, hasWholeOutput } from "../core/notices/settings.ts";
import { idOfText } from "../platform/text_ids.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The fact in a test notice, in any form. */
export const TEST_FACT = "This is only a test: somebody ran jobctl notices test";

/** Sender and channel of a sample. */
interface SampleContext {
  readonly id: string;
  readonly now: number;
  readonly host: string;
  readonly node: string;
  readonly settings: Pick<ChannelSettings, "name" | "rules" | "target">;
}

/** The job of samples, and its command. */
const JOB = "example";
const LINE = "/usr/local/bin/example --all";

/** Subjects of notices about something other than a job. */
const SUBJECTS: Readonly<Partial<Record<NoticeEvent, NoticeSubject["type"]>>> = {
  "reload-refused": "daemon",
  "node-lost": "node",
  store: "store",
  "workers-busy": "daemon",
  "port-closed": "daemon",
};

/** The line for the news of an event; news of runs have the error of the run. */
const DETAILS: Readonly<Partial<Record<NoticeEvent, string>>> = {
  late: "due 12m ago and not started; expected within 10m; all 4 workers are busy",
  missed: "no success for 1d2h, the last one ended 2026-01-01 02:00:00 +00:00; expected every 1d1h",
  long: "running for 3h; expected at most 2h",
  short: "took 4s; expected at least 1m",
  lost: "its worker died 4 times",
  disabled: 'config.toml:12:1: jobs.example: there is no file "./example.ts"',
  "reload-refused": "config.toml:3:1: workers: found 0, wanted at least 1",
  "node-lost": "host web1, lease expired 2026-01-01T02:00:00.000Z",
  store: "connection refused",
  "workers-busy": "all 4 workers are busy, and 17 instances wait",
  "port-closed": "Cannot listen on 127.0.0.1:59051: the address is in use by user nobody",
};

const FAILURE = 'Command "/usr/local/bin/example" exited with code 2';
/** The end of an event's run; absent for events without a run. */
const RUNS: Readonly<
  Partial<Record<NoticeEvent, Pick<NoticeRun, "state" | "reason"> & { readonly fails?: boolean }>>
> = {
  failed: { state: "terminated", reason: "error", fails: true },
  dead: { state: "terminated", reason: "error", fails: true },
  lost: { state: "terminated", reason: "lost" },
  recovered: { state: "completed", reason: "ok" },
  late: { state: "scheduled", reason: null },
  long: { state: "processing", reason: null },
  short: { state: "completed", reason: "ok" },
  output: { state: "completed", reason: "ok" },
};

/**
 * A notice like an event's, about things that do not exist. All samples of a channel share an
 * incident, so that "recovered" ends the one opened by a service.
 */
export function sampleNotice(event: NoticeEvent, context: SampleContext): Notice {
  const { id, now, host, node, settings } = context;
  const type = SUBJECTS[event] ?? "job";
  const subject: NoticeSubject = { type, name: type === "job" ? JOB : node };
  const run = runOf(event, context);
  const incident = event === "output" ? null : incidentOf(event, subject, context);
  const detail = DETAILS[event] ?? null;
  const source = { event, subject, run, incident, isReminder: false, detail, now };
  const title = titleOf(source);
  const isUnwanted = !settings.rules.on.includes(event);
  return {
    id,
    type: event,
    at: now,
    subject,
    host,
    node,
    isReminder: false,
    run,
    title: `Test: ${title}`,
    facts: [
      TEST_FACT,
      ...isUnwanted ? [`Channel ${settings.name} does not report it: ${event} is not in "on"`] : [],
      ...factsOf(source).filter((fact) => !title.endsWith(`: ${fact}`)),
    ],
    incident,
    output: run === null || run.startedAt === null ? [] : [
      TEST_FACT,
      ...(RUNS[event]?.fails ? ["example: cannot open /srv: Permission denied"] : []),
    ],
    command: commandOf({ subject, run }),
    items: [],
    ...(event === "output" && hasWholeOutput(settings) ? { cron: COMMAND } : {}),
  };
}

const COMMAND: NoticeCommand = {
  user: "root",
  line: LINE,
  env: { SHELL: "/bin/sh", HOME: "/root", PATH: "/usr/bin:/bin", LOGNAME: "root", USER: "root" },
};

function runOf(event: NoticeEvent, { now, node, settings }: SampleContext): NoticeRun | null {
  const end = RUNS[event];
  if (end === undefined) return null;
  const { state, reason, fails = false } = end;
  const dueAt = now - 12 * MINUTE;
  const startedAt = state === "scheduled" ? null : now - MINUTE;
  const isOver = state === "terminated" || state === "completed";
  return {
    id: idOfText(`sample run ${settings.name}`),
    state,
    reason,
    attempt: 1,
    scheduleId: `${JOB}:config:0`,
    scheduledFor: dueAt,
    dueAt,
    startedAt,
    finishedAt: isOver ? now : null,
    durationMs: isOver ? MINUTE : null,
    error: fails ? { name: "CommandError", message: FAILURE, exitCode: 2 } : null,
    version: null,
    node: startedAt === null ? null : node,
  };
}

function incidentOf(
  event: NoticeEvent,
  subject: NoticeSubject,
  { now, settings: { name } }: SampleContext,
): Incident {
  const isOver = event === "recovered";
  const openedAt = isOver ? now - 60 * MINUTE : now;
  return {
    id: idOfText(`sample incident ${name}`),
    subject,
    events: [isOver ? "failed" : event],
    openedAt,
    closedAt: isOver ? now : null,
    count: 1,
    lastAt: openedAt,
    lastError: isOver || RUNS[event]?.fails ? FAILURE : DETAILS[event] ?? null,
    lastInstanceId: null,
    lastVersion: null,
    lastExitCode: null,
    acknowledgedBy: null,
    acknowledgedAt: null,
    notified: [name],
  };
}
