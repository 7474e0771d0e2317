import { spawnSync } from "node:child_process";
import { Buffer } from "node:buffer";
import {
  chmodSync,
  closeSync,
  constants,
  createReadStream,
  mkdtempSync,
  openSync,
  rmSync,
} from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { lazyLibc } from "../system/libc.ts";
import { runtimeName } from "../system/runtime.ts";

declare const Bun: { file(descriptor: number): { stream(): ReadableStream } };

/** A pipe whose writing end goes to child processes. */
export interface Pipe {
  readonly reader: Readable;
  /** File descriptor of the reader until it is closed. */
  readonly readerDescriptor: number;
  /** File descriptor. Close it once the children have it: the reader ends with the last writer. */
  readonly writer: number;
}

/** Name prefix of the folders that briefly hold names of pipes and files. */
const PREFIXES = { pipe: "jobctl-pipe-", file: "jobctl-file-" } as const;
/** A folder of this age is abandoned: folders are used for milliseconds. */
const STALE_AFTER_MS = 60_000;

const openLibc = lazyLibc("mkfifo", "poll");
const POLLIN = 1;

/** A new private folder for short-lived names; see {@link removeStaleFolders}. */
export function momentaryFolder(use: keyof typeof PREFIXES): string {
  return mkdtempSync(join(tmpdir(), PREFIXES[use]));
}

/** Remove folders of {@link momentaryFolder} that killed processes left. @param nowMs epoch ms */
export async function removeStaleFolders(nowMs: number, root: string = tmpdir()): Promise<void> {
  const uid = process.getuid?.();
  const prefixes = Object.values(PREFIXES);
  for (const name of await readdir(root).catch(() => [])) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    const path = join(root, name);
    try {
      const found = await lstat(path);
      const isStale = nowMs - found.mtimeMs > STALE_AFTER_MS;
      if (found.isDirectory() && found.uid === uid && isStale) await rm(path, { recursive: true });
    } catch {
      // Another process of ours was faster.
    }
  }
}

/**
 * Create kernel pipes. A runtime's own pipe to a child is a pair of sockets, which no child can
 * open by name: `echo no > /dev/stderr` fails there. The pipes are named for a moment, because the
 * kernel keeps the time of the last write only for named ones.
 *
 * @returns null if that fails: without a writable temporary directory, or if neither the C library
 * can be called nor the program `mkfifo`, which takes a millisecond, exists
 */
export function createPipes(count: number): readonly Pipe[] | null {
  let folder: string;
  try {
    folder = momentaryFolder("pipe");
  } catch {
    return null;
  }
  const pipes: Pipe[] = [];
  const paths = Array.from({ length: count }, (_, index) => join(folder, String(index)));
  try {
    if (!makeNamed(paths)) return null;
    for (const path of paths) pipes.push(openPipe(path));
    return pipes;
  } catch {
    // For example, too few descriptors, which would affect the others too.
    for (const { reader, writer } of pipes) {
      reader.destroy();
      closeSync(writer);
    }
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Open to any user: a holder of either end may reopen it by name. Nobody can reach it by path. */
function makeNamed(paths: readonly string[]): boolean {
  const libc = openLibc();
  if (libc === null) {
    return spawnSync("mkfifo", ["-m", "666", ...paths], { stdio: "ignore" }).status === 0;
  }
  for (const path of paths) {
    if (libc.symbols.mkfifo(Buffer.from(`${path}\0`), 0o600) !== 0) return false;
    chmodSync(path, 0o666);
  }
  return true;
}

function openPipe(path: string): Pipe {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  // Either end alone would wait for the other.
  const first = openSync(path, O_RDONLY | O_NONBLOCK);
  let writer: number;
  try {
    writer = openSync(path, O_WRONLY);
  } catch (error) {
    closeSync(first);
    throw error;
  }
  switch (runtimeName()) {
    case "bun":
      return { reader: readDescriptor(first), readerDescriptor: first, writer };
    case "node":
      return {
        reader: new Socket({ fd: first, readable: true, writable: false }),
        readerDescriptor: first,
        writer,
      };
    case "deno": {
      // Deno reads files on threads, which must block until there is data.
      const readerDescriptor = openSync(path, O_RDONLY);
      const reader = createReadStream("", { fd: readerDescriptor });
      closeSync(first);
      return { reader, readerDescriptor, writer };
    }
  }
}

/** The data of a pipe of Bun, read as it comes; closes the descriptor at the end. */
export function readDescriptor(descriptor: number): Readable {
  const reader = Readable.fromWeb(Bun.file(descriptor).stream());
  // Bun does not close a given descriptor.
  reader.once("close", () => closeSync(descriptor));
  return reader;
}

/**
 * Returns a function that is true if any of these descriptors is readable now: a pipe with data, or
 * an ended one. It reads nothing and takes less than a microsecond.
 *
 * @returns null if the runtime cannot do this
 */
export function readableCheck(descriptors: readonly number[]): (() => boolean) | null {
  const libc = openLibc();
  if (libc === null) return null;
  const { poll } = libc.symbols;
  // Rows of `struct pollfd`: the descriptor, then requested and returned events in 16 bits each.
  const list = Int32Array.from(descriptors.flatMap((descriptor) => [descriptor, POLLIN]));
  return () => poll(list, descriptors.length, 0) !== 0;
}
