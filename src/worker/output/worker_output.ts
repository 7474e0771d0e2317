import { AsyncLocalStorage } from "node:async_hooks";
import { fstatSync, futimesSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { cutText } from "../../core/text/text_bytes.ts";
import { errorCode } from "../../core/errors.ts";
import type { LogEntry, LogLevel } from "../../core/instance.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import { printedText } from "../attempt_scope.ts";
import { endAtJob } from "../job_stack.ts";
import { LINE_BYTES_MAX } from "./line_splitter.ts";
import { encodeLines, encodeMessage, endMarker, recordPrefix } from "./output_record.ts";

/** Most spaces that `console.group` indents by. */
const INDENT_MAX = 40;
const LEVELS: Readonly<Record<"log" | "info" | "debug" | "warn" | "error", LogLevel>> = {
  log: "info",
  info: "info",
  debug: "debug",
  warn: "warn",
  error: "error",
};

/** The worker's side of its output: writes lines that job code prints and logs. */
export class WorkerOutput {
  readonly #clock: Clock;
  readonly #storage = new AsyncLocalStorage<number>();
  readonly #streams = [new OutputStream(1), new OutputStream(2)] as const;
  #isInstalled = false;
  #run = 0;
  #token = "";
  #prefix = "";
  #mask = new SecretMask();
  #indent = "";

  /** True while lines of the console repeat what an earlier run of the instance printed. */
  isMuted: () => boolean = () => false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Replace `console`, `process.stdout` and `process.stderr`. Everything is written at once, in
   * order and with its level, because the lines before a crash matter most. The runtime's own
   * streams are never opened: they would make the descriptors non-blocking for all their processes.
   */
  install(): void {
    if (this.#isInstalled) return;
    this.#isInstalled = true;
    for (const [index, name] of (["stdout", "stderr"] as const).entries()) {
      const stream = this.#streams[index]!;
      const value = standardStream(stream.descriptor, (chunk) => {
        if (!this.#isLate()) stream.write(chunk);
      });
      const property = { value, configurable: true, enumerable: true, writable: true };
      Object.defineProperty(process, name, property);
    }
    const methods = Object.entries(LEVELS) as [keyof typeof LEVELS, LogLevel][];
    for (const [name, level] of methods) {
      console[name] = (...args: unknown[]) => this.#print(level, args);
    }
    console.group = console.groupCollapsed = (...args: unknown[]) => {
      if (args.length > 0) this.#print("info", args);
      if (this.#indent.length < INDENT_MAX) this.#indent += "  ";
    };
    console.groupEnd = () => {
      this.#indent = this.#indent.slice(2);
    };
  }

  /** Assign the following output to a run. */
  begin(run: number, token: string, mask: SecretMask): void {
    this.#run = run;
    this.#mask = mask;
    this.#token = token;
    this.#prefix = recordPrefix(token);
    this.#indent = "";
  }

  /** Execute code of the current run: its later output counts for no other run. */
  within<T>(action: () => T): T {
    return this.#storage.run(this.#run, action);
  }

  /** Log messages of a run, each as one record. */
  log(run: number, entries: readonly LogEntry[]): void {
    const [stdout] = this.#streams;
    for (const { at, level, source, message } of entries) {
      const text = cutText(this.#mask.text(message), LINE_BYTES_MAX);
      stdout.endLine();
      stdout.write(encodeMessage(this.#prefix, { run, at, level, source, text }));
    }
  }

  /** True if nothing was written since the last end marker; false where that is unknown. */
  isSilent(): boolean {
    return !this.#streams.some((stream) => stream.isTouched());
  }

  /**
   * End the output of the current run, after everything written.
   *
   * A copy within the kernel, for example by `sendfile`, leaves no trace on the descriptor. The
   * daemon, which also checks, then requests the end markers.
   *
   * @param mayBeSilent true if no markers are wanted when nothing was written
   * @returns true if nothing was written and no markers follow, so the daemon need not wait
   */
  end(mayBeSilent: boolean): boolean {
    const isSilent = mayBeSilent && this.isSilent();
    if (!isSilent) this.mark(this.#run);
    this.#run = 0;
    return isSilent;
  }

  /** Mark the end of a run's output in both streams. */
  mark(run: number): void {
    for (const stream of this.#streams) stream.mark(endMarker(this.#token, run));
  }

  #isLate(): boolean {
    const run = this.#storage.getStore();
    return run !== undefined && run !== this.#run;
  }

  #print(level: LogLevel, args: readonly unknown[]): void {
    if (this.isMuted()) return;
    const source = level === "warn" || level === "error" ? "stderr" : "stdout";
    const [only] = args;
    let text = args.length === 1 && typeof only === "string" ? endAtJob(only) : printedText(args);
    // The daemon masks too, but misses a secret that is split across two records.
    if (text.length * 3 > LINE_BYTES_MAX) text = this.#mask.text(text);
    if (this.#indent !== "") text = this.#indent + text.replaceAll("\n", `\n${this.#indent}`);
    const own = this.#streams[source === "stdout" ? 0 : 1];
    // The rest of a line whose start was written to the stream.
    if (own.isLineOpen && !this.#isLate()) return own.write(`${text}\n`);
    const run = this.#storage.getStore() ?? this.#run;
    if (run === 0) return own.write(`${text}\n`);
    const at = this.#clock.now().wallMs;
    this.#streams[0].write(encodeLines(this.#prefix, { run, at, level, source, text }));
  }
}

const NEWLINE = 10;
/** Most retries, one per millisecond, of a full descriptor that others made non-blocking. */
const WRITE_TRIES_MAX = 60_000;

/** One descriptor, written to synchronously. */
class OutputStream {
  readonly descriptor: number;
  /** True if the text written so far does not end with a newline. */
  isLineOpen = false;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #canReset = true;
  /** True if the time of the last change shows every write. */
  #showsWrites = false;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  endLine(): void {
    if (this.isLineOpen) this.write("\n");
  }

  /** True if any process wrote to it since the last marker, or if unknown. */
  isTouched(): boolean {
    return !this.#showsWrites || this.#changedMs() !== 0;
  }

  // Each write sets a pipe's change time, but too coarsely to compare: reset it to zero.
  mark(text: string): void {
    const isReset = this.#resetChange();
    this.write(text);
    this.#showsWrites = isReset && this.#changedMs() > 0 && this.#resetChange() &&
      this.#changedMs() === 0;
  }

  #resetChange(): boolean {
    if (!this.#canReset) return false;
    try {
      futimesSync(this.descriptor, 0, 0);
    } catch {
      // The pipe belongs to another user.
      this.#canReset = false;
    }
    return this.#canReset;
  }

  /** Epoch ms; NaN if it is unknown. */
  #changedMs(): number {
    try {
      return fstatSync(this.descriptor).mtimeMs;
    } catch {
      return NaN;
    }
  }

  write(chunk: string | Uint8Array): void {
    if (chunk.length === 0) return;
    const last = typeof chunk === "string" ? chunk.charCodeAt(chunk.length - 1) : chunk.at(-1);
    this.isLineOpen = last !== NEWLINE;
    // Write strings as they are: converting them to bytes first takes five times as long.
    const written = this.#tryWrite(chunk);
    const size = typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.length;
    if (written < size) this.#writeRest(Buffer.from(chunk as string).subarray(written));
  }

  #writeRest(bytes: Uint8Array): void {
    let rest = bytes;
    for (let tries = 0; rest.length > 0 && tries < WRITE_TRIES_MAX; tries++) {
      rest = rest.subarray(this.#tryWrite(rest));
    }
  }

  /** Returns the bytes written; Infinity once nobody reads any more. */
  #tryWrite(chunk: string | Uint8Array): number {
    try {
      // The types allow a string or bytes, but not their union.
      return writeSync(this.descriptor, chunk as string);
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") return Infinity;
      Atomics.wait(this.#pause, 0, 0, 1);
      return 0;
    }
  }
}

/** A stream like `process.stdout`; it never closes. */
function standardStream(descriptor: number, write: (chunk: Uint8Array) => void): Writable {
  const stream = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      write(chunk);
      done();
    },
  });
  stream.end = (...args: unknown[]) => {
    const [chunk] = args;
    if (chunk !== undefined && typeof chunk !== "function") stream.write(chunk);
    const done = args.findLast((argument) => typeof argument === "function");
    if (done) queueMicrotask(done as () => void);
    return stream;
  };
  stream.destroy = () => stream;
  return Object.assign(stream, { fd: descriptor, isTTY: false });
}
