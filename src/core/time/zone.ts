import { JobError } from "../errors.ts";

/** The last second that is computed with: the end of the year 9999. Epoch seconds. */
export const LAST_SECOND = 253_402_300_799;
const FIRST_SECOND = -62_135_596_800;
const DAY = 86_400;
/** No zone of the database has changed its offset and back within this many days since 1970. */
const PROBE_STEP = 7 * DAY;
/** A change within this distance may affect the wall clock after it. */
const NEAR = 2 * DAY;
const YEARS_CACHED_MAX = 400;
const ZONES_CACHED_MAX = 1_000;

/** A change of a zone's offset; times in epoch seconds, offsets in seconds east of UTC. */
interface Transition {
  /** The first second with the new offset. */
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** A year of a zone, by UTC. */
interface ZoneYear {
  /** Offset at its first second. */
  readonly offset: number;
  /** Changes after its first second, up to and including the first second of the next. */
  readonly changes: readonly Transition[];
}

/** A span of time with one offset from UTC. Epoch seconds; offsets in seconds east of UTC. */
export interface ZoneSegment {
  /** Its first second, after a recent change of the offset; else −Infinity. */
  readonly from: number;
  /** The second after its last; at the latest the end of the year (UTC). */
  readonly until: number;
  readonly offset: number;
  /** The offset before `from`. */
  readonly previousOffset: number;
}

function yearOf(second: number): number {
  return new Date(second * 1_000).getUTCFullYear();
}

function yearStart(year: number): number {
  return new Date(0).setUTCFullYear(year, 0, 1) / 1_000;
}

/** A time zone: the wall clock at any instant. */
export class Zone {
  readonly name: string;
  /** Null for UTC: reading the runtime's tables takes 5 MB and some milliseconds. */
  readonly #format: Intl.DateTimeFormat | null;
  readonly #years = new Map<number, ZoneYear>();

  /** Use {@link openZone}. @throws RangeError for an unknown name */
  constructor(name: string) {
    this.name = name;
    this.#format = name === "UTC" ? null : new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** Seconds east of UTC at an instant in epoch seconds. */
  offsetAt(second: number): number {
    if (this.#format === null) return 0;
    const clamped = Math.min(Math.max(second, FIRST_SECOND + DAY), LAST_SECOND);
    const parts = this.#format.format(clamped * 1_000).match(/\d+/g)!.map(Number);
    const [month = 1, day = 1, year = 0, hour = 0, minute = 0, rest = 0] = parts;
    const days = new Date(0).setUTCFullYear(year, month - 1, day) / 1_000;
    return days + hour * 3_600 + minute * 60 + rest - clamped;
  }

  /** The span with one offset around an instant in epoch seconds. */
  segmentAt(second: number): ZoneSegment {
    const year = yearOf(second);
    const start = yearStart(year);
    const { changes, offset: startOffset } = this.#zoneYear(year);
    let last = changes.findLast((change) => change.at <= second);
    if (last === undefined && second - start < NEAR) {
      last = this.#zoneYear(year - 1).changes.findLast((change) => change.at >= start - NEAR);
    }
    const next = changes.find((change) => change.at > second);
    const offset = last?.after ?? next?.before ?? startOffset;
    return {
      from: last?.at ?? -Infinity,
      until: next?.at ?? yearStart(year + 1),
      offset,
      previousOffset: last?.before ?? offset,
    };
  }

  #zoneYear(year: number): ZoneYear {
    const known = this.#years.get(year);
    if (known !== undefined) return known;
    const found: Transition[] = [];
    const end = yearStart(year + 1);
    let from = yearStart(year);
    const offset = this.offsetAt(from);
    let before = offset;
    while (from < end) {
      const until = Math.min(from + PROBE_STEP, end);
      const after = this.offsetAt(until);
      if (after !== before) found.push({ at: this.#findChange(from, until), before, after });
      from = until;
      before = after;
    }
    if (this.#years.size >= YEARS_CACHED_MAX) this.#years.clear();
    const computed = { offset, changes: found };
    this.#years.set(year, computed);
    return computed;
  }

  /** The first second after `from` with the offset of `until`. */
  #findChange(from: number, until: number): number {
    const before = this.offsetAt(from);
    let low = from;
    let high = until;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }
}

const zones = new Map<string, Zone>();

function nearestZone(name: string): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, "");
  const wanted = plain(name);
  if (wanted === "") return undefined;
  return Intl.supportedValuesOf("timeZone").find((known) =>
    plain(known) === wanted || plain(known.split("/").at(-1)!) === wanted
  );
}

/** A zone by IANA name, one object for each. @throws JobError `invalid_argument` if unknown */
export function openZone(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  let zone: Zone | null = null;
  try {
    // Some runtimes also accept offsets such as "+05:30", which are not names.
    if (/^[A-Za-z][\w+/-]{0,63}$/.test(name)) zone = new Zone(name);
  } catch {
    // Refused below.
  }
  if (zone === null) {
    const near = nearestZone(name.slice(0, 64));
    throw new JobError(
      "invalid_argument",
      `Cannot use time zone "${name.slice(0, 64)}": not an IANA name`,
      { hint: near ? `Did you mean "${near}"?` : 'Write it like "Europe/Berlin" or "UTC"' },
    );
  }
  if (zones.size >= ZONES_CACHED_MAX) zones.clear();
  zones.set(name, zone);
  return zone;
}

/** Split a schedule's text into the zone of a `CRON_TZ=` or `TZ=` prefix and the rest. */
export function splitZone(text: string): { readonly zone: string | null; readonly rest: string } {
  const trimmed = text.trim();
  const prefix = /^(?:CRON_)?TZ=(\S*)\s*/.exec(trimmed);
  if (prefix === null) return { zone: null, rest: trimmed };
  return { zone: prefix[1]!, rest: trimmed.slice(prefix[0].length) };
}
