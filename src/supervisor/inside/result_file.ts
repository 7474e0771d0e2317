import { closeSync, fstatSync, readSync } from "node:fs";
import { encodeResults } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { openUnnamedFile, reopen, WRITABLE } from "./unnamed_file.ts";

/** File descriptor of the result file in a command: the first after stdin, stdout and stderr. */
const DESCRIPTOR = 3;
/** Interval between size checks of results while a command is young, and later. */
const CHECK_EVERY_MS = { first: 100, last: 1_000 } as const;
const YOUNG_MS = 5_000;
/** Checks of other than young commands take about this part of a processor at most. */
const SHARE = 1 / 5_000;
/** Longest time between two of them: a check itself may have been held up. */
const CHECK_EVERY_MS_MAX = 10_000;
/** Most files kept for the next commands: a new one takes 0.15 ms on ext4, a kept one 10 µs. */
const UNUSED_MAX = 256;

/** The file for a command's result: `$JOB_RESULT_FILE`. */
export class ResultFile {
  /** Our descriptor, which the command inherits as its fourth. */
  readonly descriptor: number;
  /** The path that the command opens. */
  readonly path = `/dev/fd/${DESCRIPTOR}`;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Null if no file can be created: most commands need no file. */
  static open(): ResultFile | null {
    try {
      return new ResultFile(openUnnamedFile({ text: "", isWritable: true }));
    } catch {
      return null;
    }
  }

  /**
   * JSON text of the array of results: empty if nothing was written, else the value if it is JSON,
   * else the text without its last newline.
   *
   * @throws JobError `invalid_argument` if it is too long or not UTF-8
   */
  read(): string {
    const { size } = fstatSync(this.descriptor);
    if (size === 0) return "[]";
    if (size > PAYLOAD_BYTES_MAX) {
      throw new JobError(
        "invalid_argument",
        `Cannot take the result of ${size} bytes: at most ${PAYLOAD_BYTES_MAX} are kept`,
        { hint: "Keep large data in a file or a database and write its name" },
      );
    }
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const count = readSync(this.descriptor, bytes, length, size - length, length);
      if (count === 0) break;
      length += count;
    }
    return encodeResults(valueOf(decode(bytes.subarray(0, length))), 1);
  }

  /** Close this, and reuse its file for another command; null if something remains in it. */
  renew(): ResultFile | null {
    try {
      const { size, mode } = fstatSync(this.descriptor);
      const isAsNew = process.platform === "linux" && size === 0 && (mode & 0o7777) === WRITABLE;
      // Commands inherit the offset, flags and locks of the descriptor, and may change them.
      return isAsNew ? new ResultFile(reopen(this.descriptor, "r+")) : null;
    } catch {
      return null;
    } finally {
      this.close();
    }
  }

  get isEmpty(): boolean {
    return fstatSync(this.descriptor).size === 0;
  }

  get isTooLarge(): boolean {
    return fstatSync(this.descriptor).size > PAYLOAD_BYTES_MAX;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Time of a file's next check, and the callback for a too large one. */
interface Watch {
  readonly sinceMs: number;
  readonly onTooLarge: () => void;
}

/** The result files of all commands. Most write nothing, and the next one reuses the file. */
export class ResultFiles {
  readonly #clock: Clock;
  readonly #unused: ResultFile[] = [];
  readonly #watches = new Map<ResultFile, Watch>();
  readonly #timer: LazyTimer;
  /** When files of other than young commands are checked, in monotonic ms. */
  #eachDueMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = new LazyTimer(clock, () => this.#check());
  }

  /** An empty file; null if none can be created: most commands need no file. */
  take(): ResultFile | null {
    return this.#unused.pop() ?? ResultFile.open();
  }

  /** Call back once if too much was written: it uses temporary space until the command ends. */
  watch(file: ResultFile, onTooLarge: () => void): void {
    this.#watches.set(file, { sinceMs: this.#clock.now().monotonicMs, onTooLarge });
    this.#timer.setWithin(CHECK_EVERY_MS.first);
  }

  /** The command has ended. @param isFree true if none of its processes can still have the file */
  release(file: ResultFile, isFree: boolean): void {
    this.#watches.delete(file);
    if (!isFree || this.#unused.length >= UNUSED_MAX) return file.close();
    const next = file.renew();
    if (next !== null) this.#unused.push(next);
  }

  // Files are checked together, so that a thousand commands cost one timer.
  #check(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const isEachDue = nowMs >= this.#eachDueMs;
    let hasYoung = false;
    for (const [file, { sinceMs, onTooLarge }] of this.#watches) {
      const isYoung = nowMs - sinceMs < YOUNG_MS;
      hasYoung ||= isYoung;
      if ((!isYoung && !isEachDue) || !file.isTooLarge) continue;
      this.#watches.delete(file);
      onTooLarge();
    }
    if (this.#watches.size === 0) return;
    if (isEachDue) {
      const pauseMs = (this.#clock.now().monotonicMs - nowMs) / SHARE;
      const leastMs = Math.max(pauseMs, CHECK_EVERY_MS.last);
      this.#eachDueMs = nowMs + Math.min(leastMs, CHECK_EVERY_MS_MAX);
    }
    this.#timer.set(hasYoung ? nowMs + CHECK_EVERY_MS.first : this.#eachDueMs);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new JobError("invalid_argument", "Cannot take the result: it is not UTF-8 text", {
      cause,
    });
  }
}

function valueOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A number with more digits than a JavaScript number has stays text.
    return typeof value === "number" && String(value) !== text.trim() ? text : value;
  } catch {
    return text;
  }
}
