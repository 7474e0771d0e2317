import { Buffer } from "node:buffer";
import type { Hash } from "node:crypto";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { formatSize } from "../../core/text/size.ts";
import { PRIVATE_FILE } from "../../platform/files/private_files.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import type { CliIo } from "../io/io.ts";
import { usageError } from "../parsing/args.ts";

/** Longest line, in bytes: a call of the daemon takes 4 MiB. */
export const LINE_BYTES_MAX = 1_048_576;
/** Most bytes copied from an input that can be read only once. */
const COPY_BYTES_MAX = 1_073_741_824;
/** Name of the file for stdin. */
const STDIN = "-";

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** One line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line end; null if it is longer than LINE_BYTES_MAX. */
  readonly bytes: Uint8Array | null;
  /** Bytes of the file up to its end. */
  readonly end: number;
}

/**
 * A file whose lines are read several times, always the same ones, at any size.
 *
 * Input that can be read only once, such as stdin, is copied to a temporary file first.
 */
export class BatchFile {
  /** Its name in messages. */
  readonly name: string;
  readonly size: number;
  readonly #file: FileHandle;
  readonly #modifiedMs: number;
  readonly #folder: string | null;

  private constructor(
    { name, file, size, modifiedMs, folder }: {
      readonly name: string;
      readonly file: FileHandle;
      readonly size: number;
      readonly modifiedMs: number;
      readonly folder: string | null;
    },
  ) {
    this.name = name;
    this.size = size;
    this.#file = file;
    this.#modifiedMs = modifiedMs;
    this.#folder = folder;
  }

  /**
   * Open a file.
   *
   * @param path "-" for stdin
   * @param copyMax most bytes that are copied
   * @throws JobError `not_found` or `invalid_argument` if it cannot be read
   */
  static async open(
    path: string,
    io: Pick<CliIo, "cwd" | "stdin">,
    copyMax = COPY_BYTES_MAX,
  ): Promise<BatchFile> {
    if (path === STDIN) return await BatchFile.#copy("stdin", io.stdin, copyMax);
    let file: FileHandle;
    try {
      file = await open(resolve(io.cwd, path), "r");
      const found = await file.stat();
      if (found.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
      if (found.isFile()) {
        const { size, mtimeMs: modifiedMs } = found;
        return new BatchFile({ name: path, file, size, modifiedMs, folder: null });
      }
    } catch (error) {
      throw unreadable(path, error);
    }
    try {
      return await BatchFile.#copy(path, file.createReadStream({ autoClose: false }), copyMax);
    } finally {
      await file.close();
    }
  }

  static async #copy(
    name: string,
    source: AsyncIterable<string | Uint8Array>,
    bytesMax: number,
  ): Promise<BatchFile> {
    const folder = await mkdtemp(join(tmpdir(), "jobctl-"));
    let file: FileHandle | null = null;
    try {
      file = await open(join(folder, "lines"), "wx+", PRIVATE_FILE);
      // Without a name, nothing of it can remain.
      if (!isWindows()) await rm(folder, { recursive: true });
      let bytes = 0;
      for await (const chunk of source) {
        bytes += Buffer.byteLength(chunk);
        if (bytes > bytesMax) throw tooLarge(name, bytesMax);
        await file.appendFile(chunk);
      }
      const { size, mtimeMs: modifiedMs } = await file.stat();
      return new BatchFile({ name, file, size, modifiedMs, folder });
    } catch (error) {
      await file?.close();
      await rm(folder, { recursive: true, force: true });
      throw isJobError(error) ? error : unreadable(name, error);
    }
  }

  /**
   * Its lines, from the beginning.
   *
   * @param hash takes all bytes
   * @throws JobError `conflict` if the file has changed since it was opened
   */
  async *lines(hash?: Hash): AsyncGenerator<Line> {
    let rest: Uint8Array = new Uint8Array();
    // True within a too long line, which is skipped.
    let isTooLong = false;
    let number = 1;
    let end = 0;
    const stream = this.#file.createReadStream({ start: 0, autoClose: false });
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      hash?.update(chunk);
      let from = 0;
      for (let at; (at = chunk.indexOf(NEWLINE, from)) >= 0; from = at + 1) {
        const bytes = joined(rest, chunk.subarray(from, at));
        end += bytes.byteLength + 1;
        yield { number, end, bytes: isTooLong ? null : textBytes(bytes, number) };
        number += 1;
        rest = new Uint8Array();
        isTooLong = false;
      }
      rest = joined(rest, chunk.subarray(from));
      if (rest.byteLength <= LINE_BYTES_MAX) continue;
      isTooLong = true;
      end += rest.byteLength;
      rest = new Uint8Array();
    }
    const bytes = isTooLong ? null : textBytes(rest, number);
    if (isTooLong || rest.byteLength > 0) yield { number, end: end + rest.byteLength, bytes };
    await this.#assertUnchanged();
  }

  async #assertUnchanged(): Promise<void> {
    const { size, mtimeMs } = await this.#file.stat();
    if (size === this.size && mtimeMs === this.#modifiedMs) return;
    throw new JobError("conflict", `Cannot queue "${this.name}": it changed while it was read`, {
      hint: "Run the command again once the file is complete",
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.byteLength === 0) return second;
  const both = new Uint8Array(first.byteLength + second.byteLength);
  both.set(first);
  both.set(second, first.byteLength);
  return both;
}

/** A line without additions by Windows editors; null if it is too long. */
function textBytes(bytes: Uint8Array, number: number): Uint8Array | null {
  if (bytes.byteLength > LINE_BYTES_MAX) return null;
  const hasMark = number === 1 && BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte);
  return bytes.subarray(hasMark ? BYTE_ORDER_MARK.length : 0);
}

function tooLarge(name: string, bytesMax: number): JobError {
  return usageError(
    `Cannot read --from "${name}": it has more than ${formatSize(bytesMax)}`,
    "Write it to a file, which can have any size, and name that",
  );
}

function unreadable(path: string, error: unknown): JobError {
  const message = `Cannot read --from "${path}": ${messageOf(error)}`;
  if (errorCode(error) === "ENOENT") {
    return new JobError("not_found", `Cannot read --from "${path}": no such file`, {
      hint:
        'Name a file with one JSON object a line, or "-" for stdin; an argument is --arg from=VALUE',
    });
  }
  return usageError(message, 'Name a readable file, or "-" for stdin');
}
