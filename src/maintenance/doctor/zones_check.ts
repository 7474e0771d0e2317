import { orElse } from "../../core/or_else.ts";
import { join } from "node:path";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { hostTimezone } from "../../platform/host_timezone.ts";
import { zoneDatabaseVersion } from "../../platform/zone_database.ts";
import { type Finding, findingsOf } from "./finding.ts";
import { readZoneFile } from "./zone_file.ts";

/** The zone databases of this program and of the host. */
export type ZonesFacts = ReturnType<typeof readZones>;

/** A zone whose time differs between program and host. */
export interface ZoneDifference {
  readonly zone: string;
  readonly atMs: number;
  readonly ownSeconds: number;
  readonly hostSeconds: number;
}

const FOLDER = "/usr/share/zoneinfo";
const FILE_BYTES_MAX = 1_048_576;
const ZONES_MAX = 50;
const AHEAD_MS = 2 * 365 * 86_400_000;
const STEP_MS = 15 * 86_400_000;
const VERSION_BYTES_MAX = 1_048_576;
const UPDATE = "sudo apt-get install --only-upgrade tzdata jobctl";
/** Years without a change of rules anywhere are rare. */
const OLD_YEARS = 2;

/** Compare both databases for the zones in use, from now on for two years. */
export function readZones(
  used: readonly string[],
  nowMs: number,
  folder: string = FOLDER,
) {
  const zones = [...new Set([hostTimezone(), ...used])].filter((name) =>
    /^[A-Za-z][\w+-]*(?:\/[A-Za-z][\w+-]*)*$/.test(name)
  ).slice(0, ZONES_MAX);
  let compared = 0;
  const differences: ZoneDifference[] = [];
  for (const zone of zones) {
    const found = compareZone(zone, nowMs, folder);
    if (found === undefined) continue;
    compared++;
    if (found !== null) differences.push(found);
  }
  const isThere = readText(join(folder, "tzdata.zi")) !== null || compared > 0;
  return {
    /** Such as "icu 78.3" or "tz 2026a". */
    own: zoneDatabaseVersion(),
    /** Such as "2026a"; null if the host has no database, or does not name its version. */
    host: hostVersion(folder),
    hasHost: isThere,
    /** The earliest difference. */
    differences,
    /** Number of zones compared. */
    compared,
    /** Year of the comparison. */
    year: new Date(nowMs).getUTCFullYear(),
  };
}

/** Judge the age of both databases. */
export function checkZones(
  { own, host, hasHost, differences, compared, year }: ZonesFacts,
): Finding[] {
  const { ok, note, warning } = findingsOf("zones");
  const names = `this program has ${own}, the host ${host ?? "an unnamed version"}`;
  if (!hasHost) return [ok(`this program has ${own}; the host has no database`)];
  if (differences.length > 0) {
    return differences.map(({ zone, atMs, ownSeconds, hostSeconds }) => {
      const at = new Date(atMs).toISOString().slice(0, 10);
      const [ours, theirs] = [ownSeconds, hostSeconds].map(offsetText);
      return warning(
        `${zone} is ${ours} here and ${theirs} on the host from ${at} on; ${names}`,
        UPDATE,
      );
    });
  }
  const hostYear = Number(host?.slice(0, 4) ?? NaN);
  if (year - hostYear >= OLD_YEARS) {
    return [note(`the host's database is of ${hostYear}`, UPDATE)];
  }
  return [ok(`${names}; same times in ${compared === 1 ? "1 zone" : `${compared} zones`} in use`)];
}

/** The first difference; null for none, undefined if the host lacks the zone. */
function compareZone(
  zone: string,
  nowMs: number,
  folder: string,
): ZoneDifference | null | undefined {
  const bytes = readBytes(join(folder, zone));
  const file = bytes === null ? null : readZoneFile(bytes);
  if (file === null) return undefined;
  const ownAt = ownOffsets(zone);
  if (ownAt === null) return undefined;
  const until = nowMs + AHEAD_MS;
  const near = file.changes.filter((at) => at >= nowMs && at <= until);
  const steps = Array.from({ length: AHEAD_MS / STEP_MS }, (_, index) => nowMs + index * STEP_MS);
  const moments = [...near.flatMap((at) => [at - 1_000, at]), ...steps].toSorted((a, b) => a - b);
  for (const atMs of moments) {
    const [hostSeconds, ownSeconds] = [file.offsetAt(atMs), ownAt(atMs)];
    if (hostSeconds === null || hostSeconds === ownSeconds) continue;
    return { zone, atMs, ownSeconds, hostSeconds };
  }
  return null;
}

/** Seconds east of UTC by this runtime; null for an unknown zone. */
function ownOffsets(zone: string): ((atMs: number) => number) | null {
  try {
    const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
    return (atMs) => {
      const name = format.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value;
      const [, sign, hours, minutes, seconds] =
        /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(name ?? "") ?? [];
      const size = Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
      return sign === "-" ? -size : size;
    };
  } catch {
    return null;
  }
}

function hostVersion(folder: string): string | null {
  const named = readText(join(folder, "+VERSION"))?.trim();
  const source = readText(join(folder, "tzdata.zi"))?.slice(0, 100);
  const found = named ?? /^# version (\S+)/.exec(source ?? "")?.[1];
  return found !== undefined && /^\d{4}[a-z]{0,2}$/.test(found) ? found : null;
}

function readText(path: string): string | null {
  return readBytes(path, VERSION_BYTES_MAX)?.toString("utf8") ?? null;
}

function readBytes(path: string, most: number = FILE_BYTES_MAX) {
  // There is none.
  return orElse(() => readRegularFile(path, most)?.bytes ?? null, null);
}

function offsetText(seconds: number): string {
  const minutes = Math.abs(seconds) / 60;
  const [hours, rest] = [Math.floor(minutes / 60), Math.floor(minutes % 60)];
  const sign = seconds < 0 ? "-" : "+";
  return `UTC${sign}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}
