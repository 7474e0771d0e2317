import { isChannelOf } from "../../core/notices/job_channels.ts";
import { countText } from "../../core/text/count_text.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { formatDuration } from "../../core/time/duration.ts";
import type { Channel, Incident, Job, Silence } from "../../rpc/gen/job_pb.ts";
import type { Printer } from "../output/printer.ts";
import type { Cell, Style } from "../output/table.ts";
import type { Column, MessageView } from "../output/view.ts";
import { absoluteTime, relativeTime, timeText } from "../output/when.ts";
import { msOf } from "../io/wire.ts";
import { shortTime } from "./instance_view.ts";

/** Kinds of jobs that look like another subject, such as `node:a`. */
const TYPED = /^(?:job|node|daemon|store|channel):/;

/** The subject of an incident, as `jobctl ack` takes it: the kind of a job, else `node:web1`. */
export function subjectText({ type, name }: Pick<Incident, "type" | "name">): string {
  return type === "job" && !TYPED.test(name) ? name : `${type}:${name}`;
}

/** The style of an incident: less alarming once acknowledged. */
function styleOf({ acknowledgedBy, closedAt }: Incident): Style {
  if (closedAt !== undefined) return "dim";
  return acknowledgedBy === undefined ? "bad" : "warn";
}

function subjectCell(incident: Incident): Cell {
  return { text: subjectText(incident), style: styleOf(incident) };
}

const SINCE: Column<Incident> = {
  title: "SINCE",
  weight: 7,
  cell: (incident, at) => shortTime(incident.openedAt, at),
};
const REST: readonly Column<Incident>[] = [
  { title: "SUBJECT", weight: 9, least: 12, cell: subjectCell },
  { title: "EVENTS", weight: 6, least: 8, cell: ({ events }) => events.join(", ") },
  { title: "COUNT", weight: 3, isNumber: true, cell: ({ count }) => Number(count) },
  { title: "LAST", isWide: true, cell: (incident, at) => shortTime(incident.lastAt, at) },
  { title: "LAST ERROR", weight: 8, least: 12, cell: errorText },
  { title: "ACKNOWLEDGED BY", least: 15, cell: ({ acknowledgedBy }) => acknowledgedBy },
  { title: "NOTIFIED", isWide: true, cell: ({ notified }) => notified.join(", ") },
  { title: "INSTANCE", isWide: true, cell: ({ lastUuid }) => lastUuid },
  { title: "ID", isWide: true, cell: ({ id }) => id },
];

/** View of open incidents. */
export const INCIDENT_VIEW: MessageView<Incident> = {
  message: "Incident",
  name: (incident) => incident.id,
  columns: [SINCE, ...REST],
};

/** View of incidents that may include closed ones. */
export const ANY_INCIDENT_VIEW: MessageView<Incident> = {
  ...INCIDENT_VIEW,
  columns: [
    SINCE,
    {
      title: "CLOSED",
      weight: 6,
      cell: (incident, at) => shortTime(incident.closedAt, at) ?? "open",
    },
    ...REST,
    { title: "CLOSED BECAUSE", weight: 4, least: 14, cell: ({ closedReason }) => closedReason },
  ],
};

/** The last error; a command's begins with its end: `exit 30: rsync: connection failed`. */
function errorText({ lastError }: Incident): string | undefined {
  return lastError?.replace(
    /^Command ".*?" (?:exited with code (\d+)|was ended by (SIG\w+))(?=: |$)/,
    (_all, code: string | undefined, signal: string | undefined) => signal ?? `exit ${code}`,
  );
}

/** An incident in one line: `backup since 2026-11-24 10:00:00Z (2h ago), failed: exit code 1`. */
export function incidentText(incident: Incident, printer: Printer): string {
  const { events, count, lastError, acknowledgedBy } = incident;
  const since = timeText(incident.openedAt, printer.nowMs);
  const many = count > 1n ? ` (${countText(Number(count), "time")})` : "";
  const error = lastError === undefined ? "" : `: ${errorText(incident)!.split("\n", 1)[0]}`;
  const by = acknowledgedBy === undefined ? "" : `, acknowledged by ${acknowledgedBy}`;
  const text = `${subjectText(incident)} since ${since}${by}, ${events.join(", ")}${many}${error}`;
  return printer.paint(makeVisible(text), styleOf(incident));
}

/** View of silences. */
export const SILENCE_VIEW: MessageView<Silence> = {
  message: "Silence",
  name: (silence) => silence.kind ?? "",
  columns: [
    { title: "KIND", weight: 9, least: 12, cell: (silence) => silence.kind ?? "(everything)" },
    { title: "UNTIL", weight: 8, cell: ({ until }) => absoluteTime(until) },
    { title: "LEFT", weight: 6, cell: ({ until }, { nowMs }) => relativeTime(until, nowMs) },
    { title: "SINCE", weight: 3, cell: (silence, at) => shortTime(silence.since, at) },
    { title: "BY", weight: 4, least: 8, cell: (silence) => silence.by },
    { title: "REASON", weight: 7, least: 12, cell: (silence) => silence.reason },
  ],
};

/** A silence in one line: `backup until 2026-11-24 17:00:00Z (in 2h): disk is being replaced`. */
export function silenceText({ kind, until, reason, by }: Silence, nowMs: number): string {
  const why = reason === "" ? "" : `: ${reason}`;
  return makeVisible(`${kind ?? "everything"} until ${timeText(until, nowMs)} by ${by}${why}`);
}

function spanText(ms: bigint | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(Number(ms));
}

/** View of channels. */
export const CHANNEL_VIEW: MessageView<Channel> = {
  message: "Channel",
  name: (channel) => channel.name,
  columns: [
    { title: "NAME", weight: 9, least: 12, cell: (channel) => channel.name },
    { title: "TO", weight: 8, least: 24, cell: (channel) => channel.to },
    { title: "ON", weight: 7, least: 12, cell: (channel) => channel.on.join(", ") },
    { title: "JOBS", least: 12, cell: (channel) => channel.jobs.join(", ") },
    // An older daemon sends no number.
    { title: "AFTER", isWide: true, cell: ({ rate, after }) => rate ?? (after || undefined) },
    { title: "REPEAT", isWide: true, cell: (channel) => spanText(channel.repeatMs) },
    { title: "DIGEST", isWide: true, cell: (channel) => spanText(channel.digestMs) },
    { title: "QUIET", isWide: true, cell: (channel) => channel.quiet.join("; ") },
    { title: "LIMIT", isWide: true, cell: ({ limit }) => limit || undefined },
  ],
};

/**
 * The names of the channels that may report a job, as the daemon chooses them.
 *
 * @param notices undefined from an older daemon: treated as unset
 */
export function channelsOf(
  { kind, notices }: Pick<Job, "kind" | "notices">,
  channels: readonly Channel[],
): readonly string[] {
  const notify = notices?.hasNotify ? notices.notify : undefined;
  return channels.filter((channel) => isChannelOf({ kind, notify }, channel))
    .map(({ name }) => name);
}

/** Open incidents before closed ones, each the newest first. */
export function newestFirst(a: Incident, b: Incident): number {
  const isOpen = (incident: Incident) => incident.closedAt === undefined ? 1 : 0;
  return isOpen(b) - isOpen(a) || (msOf(b.openedAt) ?? 0) - (msOf(a.openedAt) ?? 0);
}

/** Unacknowledged incidents first, then the ones with the most events. */
export function worstFirst(a: Incident, b: Incident): number {
  const isKnown = (incident: Incident) => incident.acknowledgedAt === undefined ? 0 : 1;
  return isKnown(a) - isKnown(b) || Number(b.count - a.count) || newestFirst(a, b);
}
