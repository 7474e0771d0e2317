import { Buffer } from "node:buffer";

/** The coming changes of a time zone, from the host's database. */
export interface ZoneFile {
  /** Seconds east of UTC at an instant in ms; null where the file has a rule instead of a list. */
  offsetAt(atMs: number): number | null;
  /** Instants of all changes in the list, in ms. */
  readonly changes: readonly number[];
}

const HEADER_BYTES = 44;
const TYPE_BYTES = 6;
const CHANGES_MAX = 10_000;

/** Read a compiled zone file of version 2 or newer, RFC 8536. @returns null for other data */
export function readZoneFile(bytes: Uint8Array): ZoneFile | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const first = readCounts(file, 0);
    if (first === null || file[4]! < 0x32) return null;
    // The first part, for old readers, has times of 4 bytes.
    const { isUtc, isStandard, leaps, times, types, chars } = first;
    const at = HEADER_BYTES + times * 5 + types * TYPE_BYTES + chars + leaps * 8 + isStandard +
      isUtc;
    const second = readCounts(file, at);
    return second === null ? null : readZone(file, at + HEADER_BYTES, second);
  } catch {
    // It ends too early.
    return null;
  }
}

interface Counts {
  readonly isUtc: number;
  readonly isStandard: number;
  readonly leaps: number;
  readonly times: number;
  readonly types: number;
  readonly chars: number;
}

function readCounts(file: Buffer, at: number): Counts | null {
  if (file.toString("latin1", at, at + 4) !== "TZif") return null;
  const [isUtc, isStandard, leaps, times, types, chars] = Array.from(
    { length: 6 },
    (_, index) => file.readUInt32BE(at + 20 + index * 4),
  ) as [number, number, number, number, number, number];
  if (times > CHANGES_MAX) return null;
  return { isUtc, isStandard, leaps, times, types, chars };
}

function readZone(file: Buffer, at: number, { times, types, chars, ...rest }: Counts): ZoneFile {
  const typesAt = at + times * 9;
  const offsetOf = (type: number) => file.readInt32BE(typesAt + type * TYPE_BYTES);
  const changes = Array.from(
    { length: times },
    (_, index) => Number(file.readBigInt64BE(at + index * 8)) * 1_000,
  );
  const offsets = changes.map((_, index) => offsetOf(file[at + times * 8 + index]!));
  const first = offsetOf(0);
  const footerAt = typesAt + types * TYPE_BYTES + chars + rest.leaps * 12 + rest.isStandard +
    rest.isUtc;
  const footer = file.toString("latin1", footerAt).trim();
  // A rule with a comma means further, unlisted changes.
  const hasRule = footer.includes(",");
  return {
    changes,
    offsetAt(atMs) {
      const index = changes.findLastIndex((change) => change <= atMs);
      if (index === changes.length - 1 && hasRule) return null;
      return index < 0 ? first : offsets[index]!;
    },
  };
}
