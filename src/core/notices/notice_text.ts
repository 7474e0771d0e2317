import { formatDuration } from "../time/duration.ts";
import type { Incident } from "./incident.ts";
import type { Notice, NoticeEvent, NoticeRun, NoticeSubject } from "./notice.ts";

/** Most characters of a title. */
const TITLE_CHARS_MAX = 200;

/** What is said of an event, after the name of its subject. */
const SAID: Readonly<Record<NoticeEvent, string>> = {
  failed: "failed",
  recovered: "recovered",
  late: "is late",
  missed: "did not run",
  long: "is running too long",
  short: "ended suspiciously early",
  dead: "failed for good",
  lost: "was lost",
  disabled: "is disabled",
  "reload-refused": "did not take the new configuration",
  "node-lost": "is gone",
  store: "does not respond",
  "workers-busy": "has no free worker",
  output: "wrote output",
};

/** The facts that titles and lines are made of. */
interface Told {
  readonly event: NoticeEvent;
  readonly subject: NoticeSubject;
  readonly run: NoticeRun | null;
  readonly incident: Incident | null;
  readonly isReminder: boolean;
  /** What the news say, in one line; null for nothing. */
  readonly detail: string | null;
  readonly now: number;
}

/** The title of a notice: one line. */
export function titleOf({ event, subject, run, incident, isReminder, detail, now }: Told): string {
  const name = nameOf(subject);
  const still = isReminder ? "still " : "";
  let text = `${name} ${still}${SAID[event]}`;
  if (isReminder && event === "failed") text = `${name} still fails`;
  if (event === "recovered" && incident) {
    text += ` after ${roughly((incident.closedAt ?? now) - incident.openedAt)}`;
  } else {
    const why = run?.error ? causeOf(run) : detail;
    if (why) text += `: ${why}`;
  }
  return oneLine(text, TITLE_CHARS_MAX);
}

/** The facts of a notice beside its title, one a line. */
export function factsOf({ event, run, incident, detail, now }: Told): readonly string[] {
  const facts: string[] = [];
  if (run?.error && event !== "recovered") facts.push(oneLine(causeOf(run), 500));
  if (detail && !run?.error && event !== "recovered") facts.push(oneLine(detail, 500));
  if (run?.durationMs != null) facts.push(`Took ${formatDuration(roundMs(run.durationMs))}`);
  if (run && run.attempt > 1) facts.push(`Attempt ${run.attempt}`);
  if (incident === null) return facts;
  if (event === "recovered") {
    const downMs = (incident.closedAt ?? now) - incident.openedAt;
    facts.push(`Bad for ${roughly(downMs)}, ${times(incident.count)}`);
    if (incident.lastError) facts.push(`Last error: ${oneLine(incident.lastError, 500)}`);
    if (incident.lastExitCode !== null) {
      facts.push(`Exit code ${incident.lastExitCode} before, 0 now`);
    }
    const { lastVersion } = incident;
    const version = run?.version ?? null;
    if (lastVersion !== null && version !== null) {
      facts.push(
        lastVersion === version
          ? "The code is the same as before"
          : `The code changed: ${lastVersion} before, ${version} now`,
      );
    }
  } else if (incident.count > 1) {
    facts.push(`${times(incident.count)} since ${new Date(incident.openedAt).toISOString()}`);
  }
  if (incident.acknowledgedBy) facts.push(`Acknowledged by ${incident.acknowledgedBy}`);
  return facts;
}

/** The name of a subject in a sentence. */
export function nameOf({ type, name }: NoticeSubject): string {
  return type === "job"
    ? name
    : type === "channel"
    ? `Channel ${name}`
    : `${type.charAt(0).toUpperCase()}${type.slice(1)} ${name}`;
}

/** The command that shows more about what a notice is about; null for none. */
export function commandOf({ subject, run }: Pick<Notice, "subject" | "run">): string | null {
  if (run) return `jobctl logs ${run.id}`;
  if (subject.type === "job") return `jobctl explain ${subject.name}`;
  return subject.type === "channel" ? "jobctl list dead" : "jobctl status";
}

function causeOf(run: NoticeRun): string {
  const { exitCode, signal, message } = run.error!;
  if (exitCode !== undefined && !message.includes(String(exitCode))) {
    return `${message} (exit code ${exitCode})`;
  }
  return signal !== undefined && !message.includes(signal) ? `${message} (${signal})` : message;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** A duration in its two largest units. */
function roughly(ms: number): string {
  const unit = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : 1_000;
  return formatDuration(Math.max(0, Math.floor(ms / unit) * unit));
}

function roundMs(ms: number): number {
  return ms >= 10_000 ? Math.round(ms / 1_000) * 1_000 : Math.round(ms);
}

function oneLine(text: string, charsMax: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
}
