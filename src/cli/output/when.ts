import { formatRelative } from "../../core/time/duration.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { localOffsetMs } from "../../platform/local_offset.ts";
import { msOf, type Timestamp } from "../io/wire.ts";

/** A time in the local zone: "2026-11-24 16:53:33 +01:00". */
export function formatAbsolute(atMs: number): string {
  const offsetMs = localOffsetMs(atMs);
  const date = new Date(atMs + offsetMs);
  const two = (number: number) => String(Math.abs(number)).padStart(2, "0");
  const offset = Math.trunc(offsetMs / 60_000);
  const zone = offset === 0
    ? "Z"
    : ` ${offset < 0 ? "-" : "+"}${two(Math.trunc(offset / 60))}:${two(offset % 60)}`;
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${
    two(date.getUTCSeconds())
  }${zone}`;
}

/** The time of day in the local zone: "16:53:33". */
export function clockText(atMs: number): string {
  return formatAbsolute(atMs).slice(11, 19);
}

/** A time as ISO text; undefined if absent. */
export function isoText(atMs: number | null): string | undefined {
  return atMs === null ? undefined : new Date(atMs).toISOString();
}

/** A time both ways: "2026-11-24 16:53:33Z (2m ago)"; undefined if absent. */
export function timeText(timestamp: Timestamp | undefined, nowMs: number): string | undefined {
  const ms = msOf(timestamp);
  return ms === undefined ? undefined : `${formatAbsolute(ms)} (${formatRelative(ms, nowMs)})`;
}

/** A time as a field of a table: "2026-11-24 16:53:33Z"; empty if absent. */
export function absoluteTime(timestamp: Timestamp | undefined): string {
  const ms = msOf(timestamp);
  return ms === undefined ? "" : formatAbsolute(ms);
}

/** A time in a zone: "2026-11-24 16:53:33 +01:00"; in the local zone if the name is empty. */
export function zoneTime(timestamp: Timestamp | undefined, timezone: string): string {
  const ms = msOf(timestamp);
  return ms === undefined || timezone === "" ? absoluteTime(timestamp) : formatLocal(ms, timezone);
}

/** A distance as a field of a table: "in 2h"; empty if absent. */
export function relativeTime(timestamp: Timestamp | undefined, nowMs: number): string {
  const ms = msOf(timestamp);
  return ms === undefined ? "" : formatRelative(ms, nowMs);
}
