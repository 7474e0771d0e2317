const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

// The unit changes at twice its size, so that a figure never has less than two of its own kind's precision.
function formatSpan(ms: number): string {
  if (ms < 2 * MINUTE_MS) return `${Math.floor(ms / SECOND_MS)}s`;
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)}h`;
  return `${Math.floor(ms / DAY_MS)}d`;
}

/** A time as seen from `nowMs`: "12s ago", "in 3m", "now". */
export function formatRelative(atMs: number, nowMs: number): string {
  const distanceMs = Math.abs(atMs - nowMs);
  if (distanceMs < SECOND_MS) return "now";
  return atMs < nowMs ? `${formatSpan(distanceMs)} ago` : `in ${formatSpan(distanceMs)}`;
}

/** A time in the local zone: "2026-11-24 16:53:33 +01:00". */
export function formatAbsolute(atMs: number): string {
  const date = new Date(atMs);
  const two = (number: number) => String(Math.abs(number)).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const zone = offset === 0
    ? "Z"
    : ` ${offset < 0 ? "-" : "+"}${two(Math.trunc(offset / 60))}:${two(offset % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${
    two(date.getSeconds())
  }${zone}`;
}
