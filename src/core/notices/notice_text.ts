import { countText } from "../text/count_text.ts";
import { shellWord } from "../text/shell_word.ts";
import { formatDuration, roughDuration } from "../time/duration.ts";
import type { Incident } from "./incident.ts";
import {
  type DigestItem,
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
  "port-closed": ["has a closed port", "still has a closed port"],
  output: ["wrote output", "wrote output"],
};

/** For a reminder to a channel with a rate. */
const FAILS_OFTEN = "still fails too often, although its last run succeeded";
/** Events with the cause of the run; the others have a separate cause. */
const OF_RUN: ReadonlySet<NoticeEvent> = new Set<NoticeEvent>(["failed", "dead", "lost", "output"]);
/** Events whose detail shows the time taken so far, which a reminder cannot repeat. */
const ONGOING: ReadonlySet<NoticeEvent> = new Set<NoticeEvent>([
  "late",
  "long",
  "missed",
  "workers-busy",
]);

/** Source of titles and facts. */
export interface NoticeSource {
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
  { event, subject, run, incident, isReminder, isWell, detail, now }: NoticeSource,
): string {
  const name = nameOf(subject);
  const isOften = isWell && (event === "failed" || event === "lost");
  let text = `${name} ${isOften ? FAILS_OFTEN : PREDICATES[event][isReminder ? 1 : 0]}`;
  if (event === "recovered" && incident) {
    text += ` after ${roughly((incident.closedAt ?? now) - incident.openedAt)}`;
  } else {
    const why = isReminder && ONGOING.has(event) ? null : causeOf({ event, run, detail });
    if (why) text += `: ${firstLine(why)}`;
  }
  return oneLine(text, TITLE_CHARS_MAX);
}

/** The words of a digest's line about an event; null for none. */
export function detailOf(
  { event, run, incident, isReminder, detail, now }: NoticeSource,
): string | null {
  if (event === "recovered") {
    return incident && `after ${roughly((incident.closedAt ?? now) - incident.openedAt)}`;
  }
  const cause = isReminder && ONGOING.has(event) ? null : causeOf({ event, run, detail });
  const line = cause && oneLine(cause, CAUSE_CHARS_MAX);
  return isReminder ? line ? `still open: ${line}` : "still open" : line;
}

/** The title of a digest: the first problem, and the number of others. */
export function digestTitleOf(heading: string, items: readonly DigestItem[]): string {
  const isBad = ({ event }: DigestItem) => event !== "recovered" && event !== "output";
  const first = items.find(isBad) ?? items[0];
  if (first === undefined) return heading;
  const { subject, event, count } = first;
  const times = count > 1 ? ` ${countText(count, "time")}` : "";
  const more = items.reduce((sum, item) => sum + item.count, -count);
  const rest = more > 0 ? `, and ${countText(more, "more event")}` : "";
  const what = oneLine(`${nameOf(subject)} ${PREDICATES[event][0]}${times}`, TITLE_CHARS_MAX - 60);
  return `${heading}: ${what}${rest}`;
}

/** The facts below the title, one per line. */
export function factsOf(source: NoticeSource): readonly string[] {
  const { event, run, incident, isReminder, detail, now } = source;
  const facts: string[] = [];
  const cause = event === "recovered" ? null : causeOf({ event, run, detail });
  if (cause) {
    const label = isReminder && ONGOING.has(event) ? "Last report: " : "";
    facts.push(`${label}${oneLine(cause, CAUSE_CHARS_MAX)}`);
  }
  if (isReminder && incident) facts.push(`Open for ${roughly(now - incident.openedAt)}`);
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

/** The subject of a title: the name of a job, or otherwise type and name. */
export function nameOf({ type, name }: NoticeSubject): string {
  return type === "job"
    ? name
    : type === "channel"
    ? `Channel ${name}`
    : `${type.charAt(0).toUpperCase()}${type.slice(1)} ${name}`;
}

/** The summary of news that found no room and are not reported separately. */
export function leftOutOf({ type, name }: NoticeSubject, count: number): string {
  const kind = shellWord(name);
  const where = type === "job"
    ? `jobctl list instances --kind ${kind}, or jobctl explain ${kind} for missed runs`
    : "jobctl incidents";
  return `${countText(count, "more event")} came at once, too many to report. See: ${where}`;
}

/** The command that shows more about a run, or else about the subject. */
export function commandOf({ subject, run }: Pick<Notice, "subject" | "run">): string {
  if (run) return `jobctl logs ${run.id}`;
  if (subject.type === "job") return `jobctl explain ${shellWord(subject.name)}`;
  return subject.type === "channel"
    ? `jobctl list instances --kind ${NOTICE_KINDS}.${subject.name}`
    : "jobctl status";
}

/** Cause of an event: the error of the run, or else the detail of the news. */
function causeOf(
  { event, run, detail }: Pick<NoticeSource, "event" | "run" | "detail">,
): string | null {
  return run?.error && (OF_RUN.has(event) || !detail) ? errorOf(run) : detail;
}

function errorOf(run: NoticeRun): string {
  const { exitCode, signal, name, message: whole } = run.error!;
  // Further lines of a command's error are the end of its output, which the notice shows anyway.
  const message = name === "CommandError" ? firstLine(whole) : whole;
  if (exitCode !== undefined && !message.includes(String(exitCode))) {
    return `${message} (exit code ${exitCode})`;
  }
  return signal !== undefined && !message.includes(signal) ? `${message} (${signal})` : message;
}

function roughly(ms: number): string {
  return roughDuration(Math.max(1, ms));
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
