import { countText } from "../text/count_text.ts";
import { formatDuration } from "../time/duration.ts";
import type { Incident } from "./incident.ts";
import {
  type Notice,
  NOTICE_KINDS,
  type NoticeEvent,
  type NoticeRun,
  type NoticeSubject,
} from "./notice.ts";

/** Most characters of a title. */
const TITLE_CHARS_MAX = 200;
/** Most characters of a cause among the facts. */
const CAUSE_CHARS_MAX = 500;

/** The predicate of a title, after the name of the subject: at first, and in reminders. */
const PREDICATES: Readonly<Record<NoticeEvent, readonly [first: string, reminder: string]>> = {
  failed: ["failed", "is still failing"],
  recovered: ["recovered", "recovered"],
  late: ["is late", "is still late"],
  missed: ["did not run as expected", "has still not run as expected"],
  long: ["is taking too long", "is still taking too long"],
  short: ["finished suspiciously fast", "has not recovered since it finished suspiciously fast"],
  dead: ["has a new dead letter", "still has a dead letter"],
  lost: ["was lost", "has not recovered since it was lost"],
  disabled: ["is disabled", "is still disabled"],
  "reload-refused": ["refused its new configuration", "still refuses its new configuration"],
  "node-lost": ["is down", "is still down"],
  store: ["does not respond", "still does not respond"],
  "workers-busy": ["has no free worker", "still has no free worker"],
  output: ["wrote output", "wrote output"],
};

/** That of a reminder to a channel with a rate. */
const FAILS_OFTEN = "still fails too often, although its last run succeeded";

/** What titles and facts are made from. */
interface Told {
  readonly event: NoticeEvent;
  readonly subject: NoticeSubject;
  readonly run: NoticeRun | null;
  readonly incident: Incident | null;
  readonly isReminder: boolean;
  /** True in a reminder of failures if the last run succeeded; absent for false. */
  readonly isWell?: boolean;
  /** One line from the news; null for none. */
  readonly detail: string | null;
  readonly now: number;
}

/** The title of a notice: one line. */
export function titleOf(
  { event, subject, run, incident, isReminder, isWell, detail, now }: Told,
): string {
  const name = nameOf(subject);
  const isOften = isWell && (event === "failed" || event === "lost");
  let text = `${name} ${isOften ? FAILS_OFTEN : PREDICATES[event][isReminder ? 1 : 0]}`;
  if (event === "recovered" && incident) {
    text += ` after ${roughly((incident.closedAt ?? now) - incident.openedAt)}`;
  } else {
    const why = run?.error ? causeOf(run) : detail;
    if (why) text += `: ${firstLine(why)}`;
  }
  return oneLine(text, TITLE_CHARS_MAX);
}

/** The facts below the title, each on a line of its own. */
export function factsOf({ event, run, incident, detail, now }: Told): readonly string[] {
  const facts: string[] = [];
  if (run?.error && event !== "recovered") facts.push(oneLine(causeOf(run), CAUSE_CHARS_MAX));
  if (detail && !run?.error && event !== "recovered") facts.push(oneLine(detail, CAUSE_CHARS_MAX));
  if (run?.durationMs != null) facts.push(`Ran for ${formatDuration(roundMs(run.durationMs))}`);
  if (run && run.attempt > 1) facts.push(`Attempt ${run.attempt}`);
  if (incident === null) return facts;
  if (event === "recovered") {
    const downMs = (incident.closedAt ?? now) - incident.openedAt;
    facts.push(`The incident lasted ${roughly(downMs)} (${countText(incident.count, "event")})`);
    if (incident.lastError) {
      facts.push(`Last error: ${oneLine(firstLine(incident.lastError), CAUSE_CHARS_MAX)}`);
    }
    if (incident.lastExitCode !== null) {
      facts.push(`Exit code: ${incident.lastExitCode} before, 0 now`);
    }
    const { lastVersion } = incident;
    const version = run?.version ?? null;
    if (lastVersion !== null && version !== null) {
      facts.push(
        lastVersion === version
          ? `Code version: ${version}, as before`
          : `Code version: ${lastVersion} before, ${version} now`,
      );
    }
  } else if (incident.count > 1) {
    facts.push(`${countText(incident.count, "event")} in this incident so far`);
  }
  if (incident.acknowledgedBy) facts.push(`Acknowledged by ${incident.acknowledgedBy}`);
  return facts;
}

/** The subject of a title: the name of a job, else with its type before it. */
export function nameOf({ type, name }: NoticeSubject): string {
  return type === "job"
    ? name
    : type === "channel"
    ? `Channel ${name}`
    : `${type.charAt(0).toUpperCase()}${type.slice(1)} ${name}`;
}

/** The command that shows more about a run, or else about the subject. */
export function commandOf({ subject, run }: Pick<Notice, "subject" | "run">): string {
  if (run) return `jobctl logs ${run.id}`;
  if (subject.type === "job") return `jobctl explain ${subject.name}`;
  return subject.type === "channel"
    ? `jobctl list instances --kind ${NOTICE_KINDS}.${subject.name}`
    : "jobctl status";
}

function causeOf(run: NoticeRun): string {
  const { exitCode, signal, name, message: whole } = run.error!;
  // The other lines of a command's error are the end of its output, which the notice shows anyway.
  const message = name === "CommandError" ? firstLine(whole) : whole;
  if (exitCode !== undefined && !message.includes(String(exitCode))) {
    return `${message} (exit code ${exitCode})`;
  }
  return signal !== undefined && !message.includes(signal) ? `${message} (${signal})` : message;
}

/** A duration without the units that are too small to matter. */
function roughly(ms: number): string {
  const unit = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : 1_000;
  return formatDuration(Math.max(0, Math.floor(ms / unit) * unit));
}

function roundMs(ms: number): number {
  return ms >= 10_000 ? Math.round(ms / 1_000) * 1_000 : Math.round(ms);
}

function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0]!;
}

function oneLine(text: string, charsMax: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
}
