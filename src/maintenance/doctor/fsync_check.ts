import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** Times of small synced writes. */
export interface FsyncFacts {
  readonly folder: string;
  /** In ms, in the order of the calls. */
  readonly times: readonly number[];
  /** True if each commit waits for the disk: `store.fsync = "full"`. */
  readonly isWaitedFor: boolean;
}

const WRITES = 9;
const WRITE_BYTES = 4_096;
/** No further write begins after this long. */
const TIME_MS_MAX = 600;
const SLOW_MS = 20;
const TOO_SLOW_MS = 100;
const WORST_MS = 500;
/** Linux: a file without a name, invisible and without leftovers. */
const TMPFILE = 0o20000000;

/** Time some synced writes on a folder's file system, in a file without a name. */
export async function timeFsync(folder: string, clock: Clock, id: string): Promise<number[]> {
  const file = await openNameless(folder, id);
  const times: number[] = [];
  try {
    const start = clock.now().monotonicMs;
    const bytes = Buffer.alloc(WRITE_BYTES, 1);
    for (let index = 0; index < WRITES; index++) {
      const before = clock.now().monotonicMs;
      if (before - start > TIME_MS_MAX) break;
      await file.write(bytes, 0, bytes.length, index * bytes.length);
      await file.sync();
      times.push(clock.now().monotonicMs - before);
    }
  } finally {
    await file.close();
  }
  return times;
}

/** Judge the times. */
export function checkFsync({ folder, times, isWaitedFor }: FsyncFacts): Finding[] {
  const { ok, note, warning } = findingsOf("fsync");
  const sorted = times.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  const worst = sorted.at(-1)!;
  const text =
    `a synced write in "${folder}" takes ${msText(median)} (median of ${times.length}), ` +
    `${msText(worst)} at worst`;
  const remedy = `ioping -c 10 -D ${shellWord(folder)}, or move the database to a faster disk`;
  if (!isWaitedFor) return [ok(text)];
  if (median >= TOO_SLOW_MS || worst >= WORST_MS) return [warning(text, remedy)];
  return median >= SLOW_MS ? [note(text, remedy)] : [ok(text)];
}

async function openNameless(folder: string, id: string): Promise<FileHandle> {
  const { O_DIRECTORY, O_RDWR } = constants;
  if (process.platform === "linux") {
    try {
      return await open(folder, O_DIRECTORY | TMPFILE | O_RDWR, 0o600);
    } catch (error) {
      // Not every file system can do it.
      if (!["EOPNOTSUPP", "EISDIR", "EINVAL"].includes(errorCode(error) ?? "")) throw error;
    }
  }
  const path = join(folder, `.jobctl-doctor-${id}`);
  const file = await open(path, "wx", 0o600);
  await unlink(path);
  return file;
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
