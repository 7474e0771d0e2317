import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** A folder that the daemon or its jobs write to. */
export interface Folder {
  /** Its content, for example "the store". */
  readonly what: string;
  readonly path: string;
  /** The command that frees space there. */
  readonly remedy: string;
}

/** Free space of a file system. */
export interface DiskFacts extends Folder {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
  /** 0 if the file system does not count them. */
  readonly totalInodes: number;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Writes fail soon. */
const FREE_LOW = 64 * MIB;
/** With more free space a small share is enough. */
const FREE_HIGH = 20 * GIB;
const FREE_SOME = 512 * MIB;
const SHARE_LOW = 0.05;
const SHARE_NONE = 0.01;

/** The folders of one file system are reported once, under the name of the first. */
export async function readDisks(folders: readonly Folder[]): Promise<DiskFacts[]> {
  const disks = new Map<number, DiskFacts>();
  for (const folder of folders) {
    const path = await existing(folder.path);
    const { dev } = await stat(path);
    if (disks.has(dev)) continue;
    const { bsize, bavail, blocks, ffree, files } = await statfs(path);
    disks.set(dev, {
      ...folder,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      freeInodes: ffree,
      totalInodes: files,
    });
  }
  return [...disks.values()];
}

/** Judge the free space and the free inodes. */
export function checkDisks(disks: readonly DiskFacts[]): Finding[] {
  return disks.flatMap((disk) => [checkSpace(disk), ...checkInodes(disk)]);
}

function checkSpace({ what, path, remedy, freeBytes, totalBytes }: DiskFacts): Finding {
  const { ok, warning, error } = findingsOf("disk");
  const share = totalBytes === 0 ? 1 : freeBytes / totalBytes;
  const text = `${sizeText(freeBytes)} (${percent(share)}) free for ${what} in "${path}"`;
  if (freeBytes < FREE_LOW) return error(text, remedy);
  const isLow = freeBytes < FREE_HIGH && share < SHARE_LOW;
  return isLow || freeBytes < FREE_SOME ? warning(text, remedy) : ok(text);
}

function checkInodes({ what, path, freeInodes, totalInodes }: DiskFacts): Finding[] {
  const { warning, error } = findingsOf("disk");
  if (totalInodes <= 0) return [];
  const share = freeInodes / totalInodes;
  if (share >= SHARE_LOW) return [];
  const text = `${percent(share)} of the inodes free for ${what} in "${path}"`;
  const remedy = `sudo du --inodes -x -d 2 ${shellWord(path)} | sort -n | tail`;
  return [share < SHARE_NONE ? error(text, remedy) : warning(text, remedy)];
}

/** The path, or the nearest existing folder above it. */
async function existing(path: string): Promise<string> {
  for (let at = path;; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      const isMissing = ["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "");
      if (!isMissing || dirname(at) === at) throw error;
    }
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function sizeText(bytes: number): string {
  return bytes < GIB ? `${Math.floor(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`;
}
