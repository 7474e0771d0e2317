import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  createReadStream,
  mkdtempSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { runtimeName } from "./process.ts";

declare const Bun: { file(descriptor: number): { stream(): ReadableStream } };

/** A pipe whose writing end goes to child processes. */
export interface Pipe {
  readonly reader: Readable;
  /** File descriptor of the reader until it is closed. */
  readonly readerDescriptor: number;
  /** File descriptor, to be closed once the children have it: the reader ends with the last writer. */
  readonly writer: number;
}

/**
 * Make real pipes of the kernel. What a runtime calls a pipe to a child is a pair of sockets, which no child can open by name:
 * `echo no > /dev/stderr` fails there. Takes about a millisecond, for the process that makes them.
 *
 * @returns null where that is not possible, such as without a program `mkfifo` or a writable temporary directory
 */
export function createPipes(count: number): readonly Pipe[] | null {
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), "jobctl-pipe-"));
  } catch {
    return null;
  }
  const paths = Array.from({ length: count }, (_, index) => join(folder, String(index)));
  try {
    // Of any user: whoever has such an end may open it again by name. Nobody reaches it by its path.
    const made = spawnSync("mkfifo", ["-m", "666", ...paths], { stdio: "ignore" });
    return made.status === 0 ? paths.map(openPipe) : null;
  } catch {
    return null;
  } finally {
    for (const path of paths) ignoreMissing(() => unlinkSync(path));
    ignoreMissing(() => rmdirSync(folder));
  }
}

function openPipe(path: string): Pipe {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  // Either end alone would wait for the other.
  const first = openSync(path, O_RDONLY | O_NONBLOCK);
  const writer = openSync(path, O_WRONLY);
  switch (runtimeName()) {
    case "bun": {
      const reader = Readable.fromWeb(Bun.file(first).stream());
      // A descriptor that it is given it leaves open.
      reader.once("close", () => closeSync(first));
      return { reader, readerDescriptor: first, writer };
    }
    case "node":
      return {
        reader: new Socket({ fd: first, readable: true, writable: false }),
        readerDescriptor: first,
        writer,
      };
    case "deno": {
      // It reads files on threads, which must wait for data and not be told that there is none.
      const readerDescriptor = openSync(path, O_RDONLY);
      const reader = createReadStream("", { fd: readerDescriptor });
      closeSync(first);
      return { reader, readerDescriptor, writer };
    }
  }
}

function ignoreMissing(action: () => void): void {
  try {
    action();
  } catch {
    // It was never made.
  }
}
