import { formatRelative } from "../../core/time/duration.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf, type Timestamp } from "../wire.ts";

/** A time both ways: "2026-11-24 16:53:33Z (2m ago)"; undefined if absent. */
export function timeText(timestamp: Timestamp | undefined, nowMs: number): string | undefined {
  const ms = msOf(timestamp);
  return ms === undefined ? undefined : `${formatAbsolute(ms)} (${formatRelative(ms, nowMs)})`;
}
