import type { Readable } from "node:stream";
import type { LogEntry, LogLevel } from "../../core/instance.ts";
import type { OutputLimits } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import { LineSplitter } from "./line_splitter.ts";
import type { TransferBudget } from "./transfer_budget.ts";
import { OutputLimiter } from "./output_limiter.ts";
import { decodeRecord, endMarker, RECORD_BYTES_MAX, recordPrefix } from "./output_record.ts";

/** Most entries handed on at once. */
const ENTRIES_MAX = 500;
/** Last lines of stderr that go into the message of a failed command. */
const STDERR_TAIL_LINES = 5;
const STDERR_TAIL_CHARS_MAX = 1_000;

type StreamName = "stdout" | "stderr";

/** Whose output it is. */
export interface OutputOwner {
  /** Number of the run that it is. */
  readonly run: number;
  readonly stderrLevel: LogLevel;
  readonly limits: OutputLimits;
  log(entries: readonly LogEntry[]): void;
  /** Both streams have shown the marker. */
  drained(): void;
}

/** What the output of a worker is read from. */
export interface OutputSource {
  readonly clock: Clock;
  /** Of the worker: what its records and marks begin with. */
  readonly token: string;
  /** Masks secrets in output. */
  readonly mask: SecretMask;
  /** Shared by all workers. */
  readonly budget: TransferBudget;
  readonly streams: Readonly<Record<StreamName, Readable>>;
  /** Whether the streams' open pipes hold what was not read yet; null where that cannot be told. */
  readonly hasMore: (() => boolean) | null;
  /** Called when something came and before it is looked at: the owner may be another one by now. */
  readonly onOutput: () => void;
}

/**
 * Reads a worker's stdout and stderr and gives their lines to the current owner. Reads on when nobody wants the output, so that
 * no job is ever blocked by it, but rests when a job floods it, so that the daemon is not.
 */
export class OutputCapture {
  readonly #clock: Clock;
  readonly #token: string;
  readonly #mask: SecretMask;
  readonly #budget: TransferBudget;
  readonly #streams: Readonly<Record<StreamName, Readable>>;
  readonly #splitters: Readonly<Record<StreamName, LineSplitter>>;
  readonly #hasMore: (() => boolean) | null;
  readonly #onOutput: () => void;
  #owner: OutputOwner | null = null;
  /** Made by the first line: most attempts print nothing. */
  #limiter: OutputLimiter | null = null;
  #entries: LogEntry[] = [];
  #stderrTail: LogEntry[] = [];
  #markersMissing = 0;
  /** Whether the splitters look for the owner's markers. */
  #isExpecting = false;
  #openStreams = 2;
  #onClosed: (() => void) | null = null;
  #at = 0;
  #isResting = false;
  /** Text that a worker printed outside any attempt: why it did not start. */
  #strayText = "";

  constructor({ clock, token, mask, budget, streams, hasMore, onOutput }: OutputSource) {
    this.#clock = clock;
    this.#token = token;
    this.#mask = mask;
    this.#budget = budget;
    this.#streams = streams;
    this.#hasMore = hasMore;
    this.#onOutput = onOutput;
    this.#splitters = { stdout: this.#splitter("stdout"), stderr: this.#splitter("stderr") };
    for (const name of ["stdout", "stderr"] as const) {
      streams[name].on("data", (chunk: Uint8Array) => this.#read(name, chunk));
      // A broken pipe ends the stream; there is nothing to do about it.
      streams[name].on("error", () => {});
      streams[name].once("close", () => {
        this.#openStreams -= 1;
        if (this.#openStreams === 0) this.#onClosed?.();
      });
    }
  }

  /** What was printed outside of attempts, at most some hundred characters. */
  get strayText(): string {
    return this.#strayText.trim();
  }

  /** The last lines of stderr, as one text; empty when there are none. */
  get stderrTail(): string {
    return this.#stderrTail.map((entry) => entry.message).join("\n").slice(-STDERR_TAIL_CHARS_MAX);
  }

  begin(owner: OutputOwner): void {
    this.#owner = owner;
    this.#markersMissing = 2;
    this.#stderrTail = [];
    this.#isExpecting = false;
  }

  /** Whether a run has to mark the end of its output even when it wrote nothing. */
  get wantsMarks(): boolean {
    return this.#hasMore === null || this.#openStreams < 2;
  }

  /** The owner says that it wrote nothing, so that no marker comes; answers whether that is so. */
  skipMarkers(): boolean {
    if (this.#isExpecting || this.wantsMarks || this.#hasMore!()) return false;
    this.#markersMissing = 0;
    this.#owner?.drained();
    return true;
  }

  /** The owner wrote nothing, and the next one has begun. */
  passOn(next: OutputOwner): void {
    if (this.#isExpecting) this.end();
    this.begin(next);
  }

  /** The attempt is over: hand on what was held back. */
  end(): void {
    if (this.#limiter !== null || this.#markersMissing > 0) {
      this.#at = this.#clock.now().wallMs;
      this.#splitters.stdout.flush();
      this.#splitters.stderr.flush();
      this.#entries.push(...this.#limiter?.finish(this.#at) ?? []);
      this.#handOn();
      this.#limiter = null;
    }
    this.#owner = null;
  }

  /** Call back once both streams have ended. */
  whenClosed(callback: () => void): void {
    if (this.#openStreams === 0) callback();
    else this.#onClosed = callback;
  }

  /** Let this process end although the streams are open. */
  release(): void {
    for (const stream of [this.#streams.stdout, this.#streams.stderr]) {
      (stream as { readonly unref?: () => void }).unref?.();
    }
  }

  close(): void {
    this.#streams.stdout.destroy();
    this.#streams.stderr.destroy();
  }

  #splitter(name: StreamName): LineSplitter {
    return new LineSplitter((line) => this.#line(name, line), () => {
      this.#markersMissing -= 1;
      if (this.#markersMissing > 0) return;
      this.#handOn();
      this.#owner?.drained();
    }, {
      records: {
        prefix: recordPrefix(this.#token),
        bytesMax: RECORD_BYTES_MAX,
        onRecord: (record) => this.#record(record),
      },
      mask: this.#mask,
    });
  }

  // What a run left behind prints in the time of a later one, or of none, is no output of that one.
  #record(bytes: Buffer): void {
    const record = decodeRecord(bytes);
    if (record === null || this.#owner?.run !== record.run) return;
    const { at, level, source, text } = record;
    this.#keep({ at, level, source, text });
  }

  #read(name: StreamName, chunk: Uint8Array): void {
    this.#onOutput();
    const now = this.#clock.now();
    this.#at = now.wallMs;
    this.#expectMarkers();
    this.#splitters[name].push(chunk);
    this.#handOn();
    const restMs = this.#budget.spend(now.monotonicMs, chunk.byteLength);
    if (restMs > 0) this.#rest(restMs);
  }

  // Most runs write nothing, and then have no marker either.
  #expectMarkers(): void {
    if (this.#isExpecting || this.#owner === null) return;
    this.#isExpecting = true;
    const marker = endMarker(this.#token, this.#owner.run);
    this.#splitters.stdout.expect(marker);
    this.#splitters.stderr.expect(marker);
  }

  #rest(restMs: number): void {
    // Either stream may have produced the output to pause for.
    if (this.#isResting) return;
    this.#isResting = true;
    const streams = [this.#streams.stdout, this.#streams.stderr];
    for (const stream of streams) stream.pause();
    this.#clock.timer(Math.max(1, restMs), () => {
      this.#isResting = false;
      for (const stream of streams) stream.resume();
    });
  }

  #line(name: StreamName, line: Uint8Array): void {
    if (this.#owner === null) {
      if (this.#strayText.length < STDERR_TAIL_CHARS_MAX) {
        this.#strayText += `${Buffer.from(line).toString()}\n`;
      }
      return;
    }
    const level = name === "stdout" ? "info" : this.#owner.stderrLevel;
    this.#keep({ at: this.#at, level, source: name, text: line });
  }

  #keep(line: Parameters<OutputLimiter["push"]>[0]): void {
    this.#limiter ??= new OutputLimiter(this.#owner!.limits, this.#mask);
    const entry = this.#limiter.push(line);
    if (entry) this.#entries.push(entry);
  }

  #handOn(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    for (const entry of entries.slice(-STDERR_TAIL_LINES * 4)) {
      if (entry.source === "stderr" && entry.message !== "") this.#stderrTail.push(entry);
    }
    this.#stderrTail = this.#stderrTail.slice(-STDERR_TAIL_LINES);
    for (let start = 0; start < entries.length; start += ENTRIES_MAX) {
      this.#owner?.log(entries.slice(start, start + ENTRIES_MAX));
    }
  }
}
