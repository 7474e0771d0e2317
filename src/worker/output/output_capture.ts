import type { Readable } from "node:stream";
import type { LogEntry } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AttemptSink } from "../executor.ts";
import { LineSplitter } from "./line_splitter.ts";
import type { TransferBudget } from "./transfer_budget.ts";
import { OutputLimiter } from "./output_limiter.ts";
import { decodeRecord, endMarker, RECORD_BYTES_MAX, recordPrefix } from "./output_record.ts";
import { StderrTail } from "./stderr_tail.ts";

/** Most entries passed on at once. */
const ENTRIES_MAX = 500;
/** Most characters of {@link OutputCapture.strayText}. */
const STRAY_CHARS_MAX = 1_000;

type StreamName = "stdout" | "stderr";

/** The run whose output is read. */
export interface OutputOwner {
  readonly job: JobDefinition;
  readonly sink: Pick<AttemptSink, "log">;
}

/** Streams to read a worker's output from. */
export interface OutputSource {
  readonly clock: Clock;
  /** The worker's token, the prefix of its records and end markers. */
  readonly token: string;
  readonly mask: SecretMask;
  /** Shared by all workers. */
  readonly budget: TransferBudget;
  readonly streams: Readonly<Record<StreamName, Readable>>;
  /** True if the streams' open pipes contain unread data; null where that is unknown. */
  readonly hasMore: (() => boolean) | null;
  /** Called before output is read: it may belong to another run by now. */
  readonly onOutput: () => void;
  /** Called when both streams have shown the end marker of the owner. */
  readonly onDrained: () => void;
}

/**
 * Reads a worker's stdout and stderr and gives their lines to the current owner. It also reads
 * without an owner, so that no job blocks on its output, but pauses when a job floods it.
 */
export class OutputCapture {
  readonly #source: OutputSource;
  readonly #streams: readonly Readable[];
  readonly #splitters: Readonly<Record<StreamName, LineSplitter>>;
  #owner: OutputOwner | null = null;
  /** Number of the owner. */
  #run = 0;
  /** Created by the first line: most attempts print nothing. */
  #limiter: OutputLimiter | null = null;
  #entries: LogEntry[] = [];
  #stderrTail = new StderrTail();
  #markersMissing = 0;
  /** True if the splitters look for the owner's end markers. */
  #isExpecting = false;
  #openStreams = 2;
  #onClosed: (() => void) | null = null;
  #at = 0;
  #isResting = false;
  /** Printed without an owner: shows why a worker did not start. */
  #strayText = "";

  constructor(source: OutputSource) {
    const { streams } = source;
    this.#source = source;
    this.#streams = Object.values(streams);
    this.#splitters = { stdout: this.#splitter("stdout"), stderr: this.#splitter("stderr") };
    for (const name of ["stdout", "stderr"] as const) {
      streams[name].on("data", (chunk: Uint8Array) => this.#read(name, chunk));
      // A broken pipe ends the stream, which needs no further action.
      streams[name].on("error", () => {});
      streams[name].once("close", () => {
        this.#openStreams -= 1;
        if (this.#openStreams === 0) this.#onClosed?.();
      });
    }
  }

  /** The text printed without an owner, at most some hundred characters. */
  get strayText(): string {
    return this.#strayText.trim();
  }

  get stderrTail(): string {
    return this.#stderrTail.text;
  }

  /** Assign the following output to a run with this number. */
  begin(owner: OutputOwner, run: number): void {
    this.#owner = owner;
    this.#run = run;
    this.#markersMissing = 2;
    this.#stderrTail = new StderrTail();
    this.#isExpecting = false;
  }

  /** True if a run has to mark the end of its output even if it wrote nothing. */
  get wantsMarks(): boolean {
    return this.#source.hasMore === null || this.#openStreams < 2;
  }

  /** The owner wrote nothing, so no end marker comes. @returns false if it did write something */
  skipMarkers(): boolean {
    if (this.#isExpecting || this.wantsMarks || this.#source.hasMore!()) return false;
    this.#markersMissing = 0;
    if (this.#owner !== null) this.#source.onDrained();
    return true;
  }

  /** The owner wrote nothing, and the next one has begun. */
  passOn(next: OutputOwner, run: number): void {
    if (this.#isExpecting) this.end();
    this.begin(next, run);
  }

  /** The run is over: pass on the lines that were kept back. */
  end(): void {
    if (this.#limiter !== null || this.#markersMissing > 0) {
      this.#at = this.#source.clock.now().wallMs;
      this.#splitters.stdout.flush();
      this.#splitters.stderr.flush();
      this.#entries.push(...this.#limiter?.finish(this.#at) ?? []);
      this.#passOnEntries();
      this.#limiter = null;
    }
    this.#owner = null;
  }

  /** Call back once both streams have ended. */
  whenClosed(callback: () => void): void {
    if (this.#openStreams === 0) callback();
    else this.#onClosed = callback;
  }

  close(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #splitter(name: StreamName): LineSplitter {
    return new LineSplitter({
      mask: this.#source.mask,
      onLine: (line) => this.#line(name, line),
      records: {
        prefix: recordPrefix(this.#source.token),
        bytesMax: RECORD_BYTES_MAX,
        onRecord: (record) => this.#record(record),
      },
      onMarker: () => {
        this.#markersMissing -= 1;
        if (this.#markersMissing > 0) return;
        this.#passOnEntries();
        if (this.#owner !== null) this.#source.onDrained();
      },
    });
  }

  // Leftover code of a run may print later, in another run or none: that is dropped.
  #record(bytes: Buffer): void {
    const record = decodeRecord(bytes);
    if (record === null || this.#owner === null || this.#run !== record.run) return;
    const { at, level, source, text } = record;
    this.#keep({ at, level, source, text });
  }

  #read(name: StreamName, chunk: Uint8Array): void {
    const { clock, budget, onOutput } = this.#source;
    onOutput();
    const now = clock.now();
    this.#at = now.wallMs;
    this.#expectMarkers();
    this.#splitters[name].push(chunk);
    this.#passOnEntries();
    const restMs = budget.spend(now.monotonicMs, chunk.byteLength);
    if (restMs > 0) this.#rest(restMs);
  }

  // Most runs write nothing, and then have no end marker either.
  #expectMarkers(): void {
    if (this.#isExpecting || this.#owner === null) return;
    this.#isExpecting = true;
    const marker = endMarker(this.#source.token, this.#run);
    this.#splitters.stdout.expect(marker);
    this.#splitters.stderr.expect(marker);
  }

  #rest(restMs: number): void {
    // Either stream may have caused the pause.
    if (this.#isResting) return;
    this.#isResting = true;
    for (const stream of this.#streams) stream.pause();
    this.#source.clock.timer(Math.max(1, restMs), () => {
      this.#isResting = false;
      for (const stream of this.#streams) stream.resume();
    });
  }

  #line(name: StreamName, line: Uint8Array): void {
    if (this.#owner === null) {
      if (this.#strayText.length < STRAY_CHARS_MAX) {
        this.#strayText += `${Buffer.from(line).toString()}\n`;
      }
      return;
    }
    const level = name === "stdout" ? "info" : "error";
    this.#keep({ at: this.#at, level, source: name, text: line });
  }

  #keep(line: Parameters<OutputLimiter["push"]>[0]): void {
    this.#limiter ??= new OutputLimiter(this.#owner!.job.options.output, this.#source.mask);
    const entry = this.#limiter.push(line);
    if (entry) this.#entries.push(entry);
  }

  #passOnEntries(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#stderrTail.add(entries);
    for (let start = 0; start < entries.length; start += ENTRIES_MAX) {
      this.#owner?.sink.log(entries.slice(start, start + ENTRIES_MAX));
    }
  }
}
