import { closeSync, fstatSync, readSync } from "node:fs";
import { encodeResults } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/job/job.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { openUnnamedFile } from "./unnamed_file.ts";

/** File descriptor of the result file in a command: the first after stdin, stdout and stderr. */
const DESCRIPTOR = 3;
/** How often the size of the result is checked at first, and later: a tenth of its age. */
const CHECK_EVERY_MS = { first: 100, last: 1_000 } as const;

/** Where a command may write its result: `$JOB_RESULT_FILE`. */
export class ResultFile {
  /** Our descriptor, which the command inherits as its fourth. */
  readonly descriptor: number;
  /** The path that the command opens. */
  readonly path = `/dev/fd/${DESCRIPTOR}`;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Null if no file can be created: most commands need none. */
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

  /**
   * Call back once if more was written than is kept: it uses space in the temporary directory until
   * the command ends.
   */
  watch(clock: Clock, onTooLarge: () => void): Timer {
    const { first, last } = CHECK_EVERY_MS;
    const startMs = clock.now().monotonicMs;
    const timer = new LazyTimer(clock, () => {
      if (fstatSync(this.descriptor).size > PAYLOAD_BYTES_MAX) return onTooLarge();
      const ageMs = clock.now().monotonicMs - startMs;
      timer.setIn(Math.min(Math.max(first, ageMs / 10), last));
    });
    timer.setIn(first);
    return timer;
  }

  close(): void {
    closeSync(this.descriptor);
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
