import { JobError } from "../errors.ts";
import { DAY, weekdayOf, WEEKDAYS } from "./calendar.ts";
import { instantOfWall, wallSecondOf } from "./wall_time.ts";
import { openZone, type Zone } from "./zone.ts";
import { checkText, TEXT_LENGTH_MAX } from "../text/text_limits.ts";

/** A window without runs, or without notices, on the wall clock of the schedule's zone. */
export type Blackout =
  | {
    readonly type: "daily";
    /** Weekdays it begins on, 0 is Sunday; empty for every day. */
    readonly days: readonly number[];
    /** Seconds since midnight. An end that is not after the start lies on the next day. */
    readonly from: number;
    readonly until: number;
  }
  | {
    readonly type: "dated";
    /** Wall seconds since 1970, the end not included. */
    readonly from: number;
    readonly until: number;
  };

/** Most windows of one schedule. */
export const BLACKOUTS_MAX = 100;

const CLOCK = /^(\d{1,2}):(\d{2})$/;
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{1,2}):(\d{2}))?$/;

/**
 * Read one window: `22:00-06:00` on every day, `sat-sun`, `mon-fri 22:00-06:00`, `2026-12-24`, or
 * with both ends `2026-12-24/2026-12-27` or `2026-12-24T18:00/2026-12-25T06:00`. An end without a
 * time includes that day.
 *
 * @param what its option, for errors
 * @throws JobError `invalid_argument` for any other text
 */
export function parseBlackout(text: string, what: "blackout" | "silence" = "blackout"): Blackout {
  const lengthMax = TEXT_LENGTH_MAX.blackout;
  checkText(text, { what, path: what, lengthMax });
  const trimmed = text.trim().toLowerCase();
  const found = readDated(trimmed.toUpperCase()) ?? readDaily(trimmed);
  if (found !== null) return found;
  throw new JobError("invalid_argument", `Cannot use ${what} "${text}": it is not a time window`, {
    path: what,
    hint: 'Write "22:00-06:00", "sat-sun", "mon-fri 08:00-18:00" or "2026-12-24/2026-12-27"',
  });
}

/** True if an instant lies in one of these valid windows. */
export function isBlackedOut(texts: readonly string[], timezone: string, atMs: number): boolean {
  if (texts.length === 0) return false;
  const zone = openZone(timezone);
  return texts.some((text) => isInside(knownBlackout(text), zone, atMs));
}

/**
 * The parts of a span of time that lie in one of the windows, in order and disjoint.
 *
 * @returns pairs of the first instant inside and the first after it, epoch ms
 */
export function blackoutSpans(
  texts: readonly string[],
  timezone: string,
  fromMs: number,
  toMs: number,
): readonly (readonly [from: number, to: number])[] {
  if (texts.length === 0 || toMs <= fromMs) return [];
  const zone = openZone(timezone);
  const found: [number, number][] = [];
  for (const text of texts) {
    for (const [from, until] of wallSpans(knownBlackout(text), zone, fromMs, toMs)) {
      const [start, end] = [from, until].map((wall) => instantOfWall(zone, wall) * 1_000);
      const clipped: [number, number] = [Math.max(start!, fromMs), Math.min(end!, toMs)];
      if (clipped[0] < clipped[1]) found.push(clipped);
    }
  }
  found.sort((left, right) => left[0] - right[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of found) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The windows around a span of time, in wall seconds. */
function* wallSpans(
  blackout: Blackout,
  zone: Zone,
  fromMs: number,
  toMs: number,
): Generator<readonly [from: number, until: number]> {
  const { type, from, until } = blackout;
  if (type === "dated") {
    yield [from, until];
    return;
  }
  const dayOf = (ms: number) => {
    const second = Math.floor(ms / 1_000);
    return Math.floor((second + zone.offsetAt(second)) / DAY);
  };
  for (let day = dayOf(fromMs) - 1; day <= dayOf(toMs); day++) {
    if (blackout.days.length > 0 && !blackout.days.includes(weekdayOf(day))) continue;
    yield [day * DAY + from, (from < until ? day : day + 1) * DAY + until];
  }
}

const known = new Map<string, Blackout>();
const KNOWN_MAX = 10_000;

function knownBlackout(text: string): Blackout {
  let found = known.get(text);
  if (found === undefined) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(text, found = parseBlackout(text));
  }
  return found;
}

function isInside(blackout: Blackout, zone: Zone, atMs: number): boolean {
  const second = Math.floor(atMs / 1_000);
  const wall = second + zone.offsetAt(second);
  if (blackout.type === "dated") return wall >= blackout.from && wall < blackout.until;
  const { from, until, days } = blackout;
  const day = Math.floor(wall / DAY);
  const time = wall - day * DAY;
  const begins = (on: number) => days.length === 0 || days.includes(weekdayOf(on));
  if (from < until) return time >= from && time < until && begins(day);
  return (time >= from && begins(day)) || (time < until && begins(day - 1));
}

function readDated(text: string): Blackout | null {
  const [first, last = first, more] = text.split("/");
  if (more !== undefined || first === undefined) return null;
  const [from, to] = [readWall(first), readWall(last!)];
  if (from === null || to === null) return null;
  const until = to.isDay ? to.second + DAY : to.second;
  return until > from.second ? { type: "dated", from: from.second, until } : null;
}

function readWall(text: string): { readonly second: number; readonly isDay: boolean } | null {
  const match = DATE_TIME.exec(text);
  if (match === null) return null;
  const second = wallSecondOf(match.slice(1), 24);
  return second === null ? null : { second, isDay: match[4] === undefined };
}

function readDaily(text: string): Blackout | null {
  const words = text.split(/\s+/);
  if (words.length > 2) return null;
  const times = words.at(-1)!.includes(":") ? readTimes(words.at(-1)!) : { from: 0, until: DAY };
  const hasDays = words.length === 2 || !words[0]!.includes(":");
  const days = hasDays ? readDays(words[0]!) : [];
  if (times === null || days === null || (words.length === 2 && !words[1]!.includes(":"))) {
    return null;
  }
  return { type: "daily", days, ...times };
}

function readTimes(text: string): { readonly from: number; readonly until: number } | null {
  const parts = text.split("-").map((part) => CLOCK.exec(part));
  if (parts.length !== 2 || parts.some((part) => part === null)) return null;
  const [from, until] = parts.map((part) => Number(part![1]) * 3_600 + Number(part![2]) * 60);
  const isValid = parts.every((part) => Number(part![2]) < 60) && from! < DAY && until! <= DAY;
  return isValid && from !== until ? { from: from!, until: until! } : null;
}

/** Days of `sat-sun` or `mon,wed`; null for other text. */
function readDays(text: string): readonly number[] | null {
  const days: number[] = [];
  for (const part of text.split(",")) {
    const [first, last = first] = part.split("-");
    const [from, to] = [WEEKDAYS.indexOf(first!.slice(0, 3)), WEEKDAYS.indexOf(last!.slice(0, 3))];
    if (from < 0 || to < 0 || part.split("-").length > 2) return null;
    for (let day = from;; day = (day + 1) % 7) {
      days.push(day);
      if (day === to) break;
    }
  }
  return days;
}
