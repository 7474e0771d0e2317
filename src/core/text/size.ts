import { JobError } from "../errors.ts";

/** Largest size that is read, in bytes: 1 PiB. */
export const SIZE_BYTES_MAX = 2 ** 50;

const UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["TB", 1e12],
  ["GB", 1e9],
  ["MB", 1e6],
  ["KB", 1e3],
  ["kB", 1e3],
  ["T", 2 ** 40],
  ["G", 2 ** 30],
  ["M", 2 ** 20],
  ["K", 2 ** 10],
  ["B", 1],
];

/**
 * Read a size such as "512MB", "1.5GiB" or "0". KB, MB and GB are powers of 1000; KiB, MiB, GiB and
 * K, M, G are powers of 1024.
 *
 * @returns whole bytes, 0 or more
 * @throws JobError `invalid_argument` for any other text, or more than 1 PiB
 */
export function parseSize(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)$/.exec(trimmed);
  const unit = UNITS.find(([name]) => name === match?.[2]);
  if (!match || !unit) throw refuse(text, "wanted a number with a unit");
  const bytes = Math.round(Number(match[1]) * unit[1]);
  if (bytes > SIZE_BYTES_MAX) throw refuse(text, "it is more than 1 PiB");
  return bytes;
}

/** Write bytes as {@link parseSize} reads them: the shortest exact form, such as "512MB". */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0";
  const exact = UNITS.filter(([name, size]) => name.length > 1 && bytes % size === 0)
    .map(([name, size]) => `${bytes / size}${name}`);
  return exact.reduce((best, each) => (each.length < best.length ? each : best), `${bytes}B`);
}

/** Units of rounded sizes: powers of 1024. */
const ROUGH_UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** A rounded size for people, such as "340 bytes" or "12.4 MiB". */
export function roughSize(bytes: number): string {
  if (bytes < 1_024) return `${bytes} bytes`;
  const power = Math.min(ROUGH_UNITS.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1_024 ** power).toFixed(1)} ${ROUGH_UNITS[power - 1]}`;
}

function refuse(text: string, reason: string): JobError {
  const shown = JSON.stringify(text.slice(0, 64));
  return new JobError("invalid_argument", `Cannot read size ${shown}: ${reason}`, {
    hint:
      'Write it like "512MB" or "2GiB"; units are B, KB, MB, GB, TB, KiB, MiB, GiB, K, M, G and T',
  });
}
