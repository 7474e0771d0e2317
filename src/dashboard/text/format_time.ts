import { roughDuration, runText } from "../../core/time/duration.ts";

/** Shown parts of a time. */
export type TimeDetail = "short" | "minute" | "full";

const PARTS: Intl.DateTimeFormatOptions = {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
  timeZoneName: "shortOffset",
};

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat("en-GB", { ...PARTS, timeZone: zone });
    } catch {
      // The daemon may know a zone that the browser does not.
      format = new Intl.DateTimeFormat("en-GB", { ...PARTS, timeZone: "UTC" });
    }
    formats.set(zone, format);
  }
  return format;
}

/** The time on a clock in a zone. */
export function timeParts(atMs: number, zone: string) {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) parts[type] = value;
  return {
    /** "2026-11-28". */
    date: `${parts.year}-${parts.month}-${parts.day}`,
    /** "Sat". */
    weekday: parts.weekday!,
    /** "03:00:07". */
    time: `${parts.hour}:${parts.minute}:${parts.second}`,
    ms: parts.fractionalSecond!,
    /** "UTC" or "UTC+1". */
    offset: parts.timeZoneName!.replace("GMT", "UTC"),
  };
}

/** A time as text: "03:00:07" of today, "Sat 11-28 03:00" of another day; "full" is complete. */
export function formatTime(atMs: number, zone: string, options: {
  readonly nowMs: number;
  readonly detail?: TimeDetail;
}): string {
  if (!Number.isFinite(atMs)) return "never";
  const { nowMs, detail = "short" } = options;
  const { date, weekday, time, ms, offset } = timeParts(atMs, zone);
  if (detail === "full") return `${weekday} ${date} ${time}.${ms} ${offset} (${zone})`;
  const today = timeParts(nowMs, zone).date;
  const clock = detail === "minute" ? time.slice(0, 5) : time;
  if (date === today) return clock;
  const day = date.slice(0, 4) === today.slice(0, 4) ? date.slice(5) : date;
  return `${weekday} ${day} ${time.slice(0, 5)}`;
}

/** Start of a day in a zone, in epoch milliseconds. @param date such as "2026-11-28" */
export function dayStart(date: string, zone: string): number {
  const wanted = Date.parse(`${date}T00:00:00Z`);
  const shownBy = (at: number) => {
    const { date: day, time } = timeParts(at, zone);
    return Date.parse(`${day}T${time}Z`);
  };
  // Twice: the first result may be on the other side of a clock change.
  const first = wanted - (shownBy(wanted) - wanted);
  return first - (shownBy(first) - wanted);
}

/** The date after another. */
export function nextDate(date: string): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

/** A duration in its two largest units: "2h 5m", "3.2 s", "45 ms". */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 0) return `−${formatDuration(-ms)}`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return runText(ms).replace("s", " s");
  return roughDuration(ms).replace(/[a-z](?=\d)/, "$& ");
}

/** The distance of a time from now: "in 5m", "2h 3m ago", "now". */
export function formatDistance(atMs: number, nowMs: number): string {
  const distance = atMs - nowMs;
  if (Math.abs(distance) < 1_000) return "now";
  // Whole seconds: tenths would flicker.
  const text = formatDuration(Math.max(1_000, Math.floor(Math.abs(distance) / 1_000) * 1_000))
    .replace(".0 s", " s");
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

/** A text of the daemon with its UTC times converted to a zone. */
export function withLocalTimes(text: string, zone: string, nowMs: number): string {
  return text.replace(
    /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g,
    (time) => formatTime(Date.parse(time), zone, { nowMs }),
  );
}

/** A number with thin spaces between thousands. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number of things in words: "1 instance", "2 instances". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Epoch milliseconds of a time of the API; NaN if it is absent. */
export function msOf(text: string | undefined): number {
  return text === undefined ? NaN : Date.parse(text);
}
