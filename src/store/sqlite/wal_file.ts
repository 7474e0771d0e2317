import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";

// Format: https://www.sqlite.org/fileformat2.html#walformat
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
const PAGE_BYTES_DEFAULT = 4_096;
/** Bytes read at a time, roughly. */
const READ_BYTES = 1_048_576;

/** The contents of a write-ahead log: frames that SQLite reads after a crash, or skips. */
export interface WalScan {
  /** Commits that SQLite reads: up to the first frame whose checksum breaks the chain. */
  readonly commits: number;
  /** Number of that frame, from 1; 0 for the header; null if all are intact. */
  readonly brokenFrame: number | null;
  /** Commits of the same log behind that frame, which SQLite skips. */
  readonly commitsBehind: number;
}

/** The running checksum of a log. */
interface Sums {
  readonly isLittle: boolean;
  first: number;
  second: number;
}

/**
 * Read a write-ahead log before SQLite does, which stops silently at the first damaged frame.
 * Frames from an earlier use of the log have other salts and are skipped.
 *
 * @returns null if it is missing or empty
 */
export function scanWal(path: string): WalScan | null {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return null;
  }
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
    return scanFrames(file, header);
  } finally {
    closeSync(file);
  }
}

function scanFrames(file: number, header: Buffer): WalScan {
  const magic = header.readUInt32BE(0);
  const sums: Sums = { isLittle: (magic & 1) === 0, first: 0, second: 0 };
  addSums(sums, header, 0, FRAME_HEADER_BYTES);
  const isHeaderWhole = (magic & ~1) === MAGIC && isSum(sums, header, FRAME_HEADER_BYTES);
  const pageBytes = isHeaderWhole ? header.readUInt32BE(8) : PAGE_BYTES_DEFAULT;
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const perRead = Math.max(1, Math.floor(READ_BYTES / frameBytes));
  const chunk = Buffer.alloc(perRead * frameBytes);
  // Salts of the header or, if it is damaged, of the first frame.
  let salts = isHeaderWhole ? header.subarray(16, 24) : null;
  let brokenFrame: number | null = isHeaderWhole ? null : 0;
  let commits = 0;
  let commitsBehind = 0;
  for (let number = 1, place = HEADER_BYTES;; place += chunk.length) {
    const size = readSync(file, chunk, 0, chunk.length, place);
    for (let at = 0; at + frameBytes <= size; at += frameBytes, number++) {
      salts ??= Buffer.from(chunk.subarray(8, 16));
      const isOfLog = salts.equals(chunk.subarray(at + 8, at + 16));
      if (brokenFrame === null && !(isOfLog && continues(sums, chunk, at, pageBytes))) {
        brokenFrame = number;
      }
      // The last frame of a commit carries the database size.
      if (!isOfLog || chunk.readUInt32BE(at + 4) === 0) continue;
      if (brokenFrame === null) commits += 1;
      else commitsBehind += 1;
    }
    if (size < chunk.length) return { commits, brokenFrame, commitsBehind };
  }
}

/** True if the checksum of a frame continues the chain. */
function continues(sums: Sums, chunk: Buffer, at: number, pageBytes: number): boolean {
  addSums(sums, chunk, at, 8);
  addSums(sums, chunk, at + FRAME_HEADER_BYTES, pageBytes);
  return isSum(sums, chunk, at + 16);
}

function isSum({ first, second }: Sums, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function addSums(sums: Sums, bytes: Buffer, from: number, length: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, length);
  let { first, second } = sums;
  for (let at = 0; at < length; at += 8) {
    first = (first + view.getUint32(at, sums.isLittle) + second) >>> 0;
    second = (second + view.getUint32(at + 4, sums.isLittle) + first) >>> 0;
  }
  sums.first = first;
  sums.second = second;
}
