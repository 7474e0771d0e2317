import { readFileSync } from "node:fs";
import process from "node:process";
import { errorCode } from "../core/errors.ts";
import { isWindows } from "./system/runtime.ts";

const LOCAL_FILE = "/etc/localtime";
const ZONES_FOLDER = "/usr/share/zoneinfo";
/** A name such as Europe/Berlin; other values of TZ are rules. */
const ZONE_NAME = /^:?([A-Za-z]+(?:\/[\w+-]+)*)$/;

/** The header of each of the two parts of a zone's file, RFC 9636. */
const HEADER_BYTES = 44;
const COUNTS_AT = 20;

/**
 * The local zone's offset from UTC at a time, in milliseconds: positive to the east. Read from the
 * file of the zone, because the runtime's first local time takes longer than a whole verb of the
 * command line.
 */
export function localOffsetMs(atMs: number): number {
  const bytes = zone ??= readZone();
  const offsetMs = bytes === "UTC" ? 0 : bytes === "unknown" ? null : offsetIn(bytes, atMs);
  return offsetMs ?? 0 - new Date(atMs).getTimezoneOffset() * 60_000;
}

let zone: Buffer | "UTC" | "unknown" | undefined;

function readZone(): Buffer | "UTC" | "unknown" {
  const { TZ } = process.env;
  const [, name] = ZONE_NAME.exec(TZ ?? "") ?? [];
  if (isWindows() || (TZ !== undefined && name === undefined)) return "unknown";
  try {
    return readFileSync(name === undefined ? LOCAL_FILE : `${ZONES_FOLDER}/${name}`);
  } catch (error) {
    // A system without the file is at UTC.
    return name === undefined && errorCode(error) === "ENOENT" ? "UTC" : "unknown";
  }
}

/**
 * The offset in a zone at a time.
 *
 * @param bytes the file of a zone, RFC 9636
 * @returns null if the file does not list it: a rule applies, or the file is not as expected
 */
export function offsetIn(bytes: Buffer, atMs: number): number | null {
  try {
    return readOffset(bytes, Math.floor(atMs / 1_000));
  } catch {
    // It ends too early.
    return null;
  }
}

function readOffset(bytes: Buffer, second: number): number | null {
  if (bytes.toString("latin1", 0, 4) !== "TZif" || bytes[4]! < 0x32) return null;
  // The first part is for programs that know times of 32 bits only.
  const start = HEADER_BYTES + sizeOf(countsAt(bytes, 0), 4);
  const counts = countsAt(bytes, start);
  const { times, leaps } = counts;
  if (leaps > 0) return null;
  const data = start + HEADER_BYTES;
  let last = times - 1;
  while (last >= 0 && bytes.readBigInt64BE(data + last * 8) > BigInt(second)) last -= 1;
  // After the last listed change a rule may apply, which has a comma.
  const rule = bytes.toString("latin1", data + sizeOf(counts, 8));
  if (last === times - 1 && rule.includes(",")) return null;
  const index = data + times * 8;
  const type = last < 0 ? 0 : bytes[index + last]!;
  return bytes.readInt32BE(index + times + type * 6) * 1_000;
}

interface Counts {
  readonly universal: number;
  readonly standard: number;
  readonly leaps: number;
  readonly times: number;
  readonly types: number;
  readonly characters: number;
}

function countsAt(bytes: Buffer, start: number): Counts {
  const count = (index: number) => bytes.readUInt32BE(start + COUNTS_AT + index * 4);
  return {
    universal: count(0),
    standard: count(1),
    leaps: count(2),
    times: count(3),
    types: count(4),
    characters: count(5),
  };
}

function sizeOf(counts: Counts, timeBytes: number): number {
  const { universal, standard, leaps, times, types, characters } = counts;
  return times * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4) + standard +
    universal;
}
