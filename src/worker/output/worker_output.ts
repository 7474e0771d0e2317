import { AsyncLocalStorage } from "node:async_hooks";
import { fstatSync, futimesSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { formatWithOptions } from "node:util";
import { cutText } from "../../core/text/text_bytes.ts";
import { errorCode } from "../../core/errors.ts";
import type { LogEntry, LogLevel } from "../../core/instance.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
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

/** The worker's own end of its output: what job code prints and logs. */
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

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Take the place of `console` and of `process.stdout` and `stderr`: everything is written at once, as what was printed before
   * a crash tells most, in its order and with its level. The runtime's own streams are never opened: they would make the
   * descriptors non-blocking for every process that has them.
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

  /** The output from now on is that of a run. */
  begin(run: number, token: string, mask: SecretMask): void {
    this.#run = run;
    this.#mask = mask;
    this.#token = token;
    this.#prefix = recordPrefix(token);
    this.#indent = "";
  }

  /** Execute code of the current run: what it prints when the run is over does not count for a later one. */
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

  /** Whether nothing was written since the last mark; false where that cannot be told. */
  isSilent(): boolean {
    return !this.#streams.some((stream) => stream.isTouched());
  }

  /**
   * End the output of the current run, behind everything that was written.
   *
   * A copy within the kernel, such as by `sendfile`, leaves no trace on the descriptor: the reader, who looks too, then asks for
   * the marks.
   *
   * @param mayBeSilent whether marks are wanted only behind output
   * @returns whether nothing was written, and so no marks are: what reads the output has nothing to wait for
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
    const source = level === "warn" || level === "error" ? "stderr" : "stdout";
    let text = formatted(args);
    // The daemon masks too, but cannot see a secret split across two records.
    if (text.length * 3 > LINE_BYTES_MAX) text = this.#mask.text(text);
    if (this.#indent !== "") text = this.#indent + text.replaceAll("\n", `\n${this.#indent}`);
    const own = this.#streams[source === "stdout" ? 0 : 1];
    // The rest of a line whose beginning was written to the stream.
    if (own.isLineOpen && !this.#isLate()) return own.write(`${text}\n`);
    const run = this.#storage.getStore() ?? this.#run;
    if (run === 0) return own.write(`${text}\n`);
    const at = this.#clock.now().wallMs;
    this.#streams[0].write(encodeLines(this.#prefix, { run, at, level, source, text }));
  }
}

function formatted(args: readonly unknown[]): string {
  if (args.length === 1 && typeof args[0] === "string") return args[0];
  try {
    return formatWithOptions({ colors: false }, ...args);
  } catch {
    return "a value that cannot be shown";
  }
}

const NEWLINE = 10;
/** How often a full descriptor that others made non-blocking is tried again, with a millisecond between. */
const WRITE_TRIES_MAX = 60_000;

/** One descriptor, written to the end before anything else happens. */
class OutputStream {
  readonly descriptor: number;
  /** Whether what was written so far ends within a line. */
  isLineOpen = false;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #canReset = true;
  /** Whether the time of the last change tells of every write. */
  #isTold = false;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  endLine(): void {
    if (this.isLineOpen) this.write("\n");
  }

  /** Whether anybody, also by the bare descriptor, wrote to it since the last mark; true where that cannot be told. */
  isTouched(): boolean {
    return !this.#isTold || this.#changedMs() !== 0;
  }

  // Each write sets the time of a pipe's last change, but too coarsely to be compared: so it is put to zero.
  mark(text: string): void {
    const isReset = this.#resetChange();
    this.write(text);
    this.#isTold = isReset && this.#changedMs() > 0 && this.#resetChange() &&
      this.#changedMs() === 0;
  }

  #resetChange(): boolean {
    if (!this.#canReset) return false;
    try {
      futimesSync(this.descriptor, 0, 0);
    } catch {
      // The pipe is another user's.
      this.#canReset = false;
    }
    return this.#canReset;
  }

  /** Epoch ms; NaN when it is not known. */
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
    // A text is written as it is: making bytes of it first takes five times as long.
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

  /** Bytes written; all, when nobody reads any more. */
  #tryWrite(chunk: string | Uint8Array): number {
    try {
      // Types know no text or bytes alike.
      return writeSync(this.descriptor, chunk as string);
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") return Infinity;
      Atomics.wait(this.#pause, 0, 0, 1);
      return 0;
    }
  }
}

/** A stream as `process.stdout` is one; it never closes. */
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
