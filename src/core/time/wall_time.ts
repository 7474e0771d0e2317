import { JobError } from "../errors.ts";
import { openZone, type Zone } from "./zone.ts";

const TEXT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*(Z|[+-]\d{2}:\d{2})?$/i;

/**
 * Read a time in RFC 3339, or one without an offset, which is local time in `timezone`. A date
 * alone means its midnight.
 *
 * @returns epoch ms
 * @throws JobError `invalid_argument` for any other text
 */
export function parseZonedTime(text: string, timezone: string): number {
  const match = TEXT.exec(text.trim());
  const wall = match === null ? null : wallSecondOf(match.slice(1, 7));
  if (wall === null) {
    throw new JobError("invalid_argument", `Cannot read time "${text}": it is not a time`, {
      hint: 'Write "2026-12-24", "2026-12-24T18:00" or "2026-12-24T18:00:00Z"',
    });
  }
  const offset = match![7];
  if (offset === undefined) return instantOfWall(openZone(timezone), wall) * 1_000;
  if (offset.toUpperCase() === "Z") return wall * 1_000;
  const sign = offset.startsWith("-") ? -1 : 1;
  const [hours, minutes] = offset.slice(1).split(":").map(Number);
  return (wall - sign * (hours! * 3_600 + minutes! * 60)) * 1_000;
}

/**
 * The epoch second at which the local clock shows `wall`. If that happens twice, the first one; if
 * a clock change skips it, the instant as if the clock had not changed.
 */
export function instantOfWall(zone: Zone, wall: number): number {
  const before = wall - zone.offsetAt(wall - 86_400);
  if (before + zone.offsetAt(before) === wall) return before;
  const after = wall - zone.offsetAt(before);
  return after + zone.offsetAt(after) === wall ? after : before;
}

/** The epoch second of the clock change that skips `wall`; null if the clock shows it. */
export function changeThatSkips(zone: Zone, wall: number): number | null {
  let later = instantOfWall(zone, wall);
  if (later + zone.offsetAt(later) === wall) return null;
  let earlier = wall - zone.offsetAt(later);
  const offset = zone.offsetAt(later);
  while (later - earlier > 1) {
    const middle = Math.floor((earlier + later) / 2);
    if (zone.offsetAt(middle) === offset) later = middle;
    else earlier = middle;
  }
  return later;
}

/**
 * The wall second of year, month, day, hour, minute and second in digits; null if there is none.
 *
 * @param parts the last ones may be absent
 * @param hourMax 24 to accept the end of a day as 24:00
 */
export function wallSecondOf(
  parts: readonly (string | undefined)[],
  hourMax: number = 23,
): number | null {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts
    .map((part) => Number(part ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDate = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDate || hour > hourMax || minute > 59 || second > 59) return null;
  return date.getTime() / 1_000 + hour * 3_600 + minute * 60 + second;
}
