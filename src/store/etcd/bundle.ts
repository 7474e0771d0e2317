import { deflateRawSync, inflateRawSync } from "node:zlib";
import { JobError } from "../../core/errors.ts";
import type { MediumChanges, MediumPair } from "../replica/medium.ts";

/** Shorter texts are not compressed. */
const DEFLATE_BYTES_MIN = 1_024;
/** The fastest level: rows of one commit resemble each other and shrink to a fifth at any level. */
const DEFLATE_LEVEL = 1;
/** Largest text to read. */
const TEXT_BYTES_MAX = 512 * 1024 * 1024;
/** Most characters to write; each has at most three bytes. */
const CHARACTERS_MAX = 160_000_000;

const PLAIN = 0;
const DEFLATED = 1;

/**
 * The changes of one commit as bytes: one byte that is 1 if the rest is deflated, then JSON of the
 * lengths, a line feed, and all keys and values in a row. So no value is escaped or scanned.
 *
 * @throws JobError `resource_exhausted` for more than can be read again
 */
export function encodeChanges({ puts, deletes }: MediumChanges): Buffer {
  const lengths = [
    puts.map(([key, value]) => [key.length, value.length]),
    deletes.map((key) => key.length),
  ];
  const texts = puts.flat();
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  if (characters > CHARACTERS_MAX) throw tooLarge(characters, CHARACTERS_MAX, "characters");
  const text = Buffer.from(
    `${JSON.stringify(lengths)}\n${texts.join("")}${deletes.join("")}`,
    "utf8",
  );
  if (text.length < DEFLATE_BYTES_MIN) return Buffer.concat([Buffer.from([PLAIN]), text]);
  return Buffer.concat([
    Buffer.from([DEFLATED]),
    deflateRawSync(text, { level: DEFLATE_LEVEL }),
  ]);
}

/** The error for a commit too large to be written. */
export function tooLarge(found: number, most: number, unit: string): JobError {
  return new JobError(
    "resource_exhausted",
    `Cannot commit ${found} ${unit}: at most ${most} at once`,
    { hint: "Queue fewer instances at a time, or smaller arguments" },
  );
}

/** The changes that {@link encodeChanges} wrote. @throws JobError `internal` for anything else */
export function decodeChanges(bytes: Uint8Array): MediumChanges {
  try {
    const rest = bytes.subarray(1);
    const text = bytes[0] === DEFLATED
      ? inflateRawSync(rest, { maxOutputLength: TEXT_BYTES_MAX }).toString("utf8")
      : Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength).toString("utf8");
    const end = text.indexOf("\n");
    const [putLengths, deleteLengths] = JSON.parse(text.slice(0, end)) as [
      [number, number][],
      number[],
    ];
    let place = end + 1;
    const take = (length: number) => text.slice(place, place += length);
    const puts = putLengths.map(([key, value]): MediumPair => [take(key), take(value)]);
    return { puts, deletes: deleteLengths.map(take) };
  } catch (error) {
    throw new JobError("internal", "Cannot read a commit: its bytes are not one", {
      hint: "Something else wrote below the store's prefix on etcd",
      cause: error,
    });
  }
}
