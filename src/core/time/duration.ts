import { JobError } from "../errors.ts";

/** Milliseconds, or duration text such as `"90s"`, `"1h30m"` or `"7d"`. */
export type DurationInput = number | string;

/** Longest duration that is read, in milliseconds: 100 years of 365 days. */
export const DURATION_MS_MAX = 100 * 365 * 86_400_000;
/** Longest text that is read as a duration. */
const TEXT_LENGTH_MAX = 64;

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

const HINT = 'Write it like "10s", "1h30m", "250ms" or "7d"; units are w, d, h, m, s and ms';

/**
 * Read a duration such as "10s", "1h30m", "1.5h", "250ms", "7d" or "0". Units go from the largest
 * to the smallest, each once.
 *
 * @returns whole milliseconds, 0 or more
 * @throws JobError `invalid_argument` for any other text, fractions of a millisecond, and more than
 *   100 years
 */
export function parseDuration(text: string): number {
  return millisecondsOf(text, "Cannot read duration");
}

/**
 * Milliseconds of an option: a number of them, or text as in {@link parseDuration}.
 *
 * @param name of the option; errors have it as path
 * @throws JobError `invalid_argument` as {@link parseDuration}
 */
export function readDuration(name: string, value: DurationInput): number {
  return typeof value === "number" ? value : millisecondsOf(value, `Cannot use "${name}"`, [name]);
}

function millisecondsOf(text: string, failure: string, options?: readonly string[]): number {
  const found = read(text);
  if (typeof found === "number") return found;
  const shown = JSON.stringify(text.slice(0, TEXT_LENGTH_MAX));
  throw new JobError("invalid_argument", `${failure} ${shown}: ${found}`, { options, hint: HINT });
}

/** @returns milliseconds, or the problem */
function read(text: string): number | string {
  const trimmed = text.trim();
  if (trimmed === "") return "it is empty";
  if (trimmed.length > TEXT_LENGTH_MAX) return "it is too long";
  if (trimmed === "0") return 0;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return "the unit is missing";
  if (trimmed.startsWith("-")) return "it is negative, wanted 0 or more";
  let total = 0;
  let rank = -1;
  let end = 0;
  for (const part of trimmed.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g)) {
    const [whole, number, unit] = part;
    if (part.index !== end) break;
    const place = UNITS.findIndex(([name]) => name === unit);
    if (place < 0) return `"${unit}" is not a unit`;
    if (place <= rank) return "units must go from the largest to the smallest";
    rank = place;
    end += whole.length;
    total += Number(number) * UNITS[place]![1];
  }
  if (end !== trimmed.length) {
    return `"${trimmed.slice(end)}" is not a number with a unit`;
  }
  const ms = Math.round(total);
  // Sums of fractions carry errors far below a thousandth of a millisecond.
  if (Math.abs(total - ms) > 0.001) return "it has parts of a millisecond";
  if (ms > DURATION_MS_MAX) return "it is more than 100 years";
  return ms;
}

/** The shortest exact text that {@link parseDuration} reads, such as "1h30m" or "0s". */
export function formatDuration(ms: number): string {
  let rest = Math.round(Math.abs(ms));
  if (rest === 0) return "0s";
  let text = ms < 0 ? "-" : "";
  for (const [unit, size] of UNITS) {
    // Weeks can be read, but people count in days.
    if (unit === "w" || rest < size) continue;
    text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text;
}

/** Most that a given time has come nearer since. */
const ROUNDED_MS = 999;

/** A time relative to `nowMs`, in its two largest units: "in 3h20m", "5d ago", "now". */
export function formatRelative(atMs: number, nowMs: number): string {
  const distanceMs = Math.abs(atMs - nowMs);
  if (distanceMs < 1_000) return "now";
  if (atMs <= nowMs) return `${roughDuration(distanceMs)} ago`;
  // A time in two hours still reads so a moment later.
  return `in ${roughDuration(distanceMs + ROUNDED_MS)}`;
}

/** A duration of 0 or more as text, without insignificant units: "1d2h". */
export function roughDuration(ms: number): string {
  const unitMs = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : ms >= 1_000 ? 1_000 : 1;
  return formatDuration(Math.floor(ms / unitMs) * unitMs);
}

/** The length of a run: as {@link roughDuration}, of a few seconds with a tenth: `1.9s`. */
export function runText(ms: number): string {
  if (ms < 1_000 || ms >= 10_000) return roughDuration(ms);
  return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
}
