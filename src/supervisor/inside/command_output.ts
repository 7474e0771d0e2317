import type { LogEntry } from "../../core/instance.ts";
import type { OutputLimits } from "../../core/job/gen/job_options.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { OutputName, OutputPipe } from "../../platform/process/output_pipe.ts";
import type { ProgramOutput } from "../../platform/process/start_program.ts";
import { LineSplitter } from "../../worker/output/line_splitter.ts";
import { OutputLimiter } from "../../worker/output/output_limiter.ts";
import type { TransferBudget } from "../../worker/output/transfer_budget.ts";
import { StderrTail } from "../../worker/output/stderr_tail.ts";
import { ENTRIES_LENGTH_MAX, ENTRIES_MAX } from "../protocol.ts";

/** State shared by the outputs of all commands. */
export interface OutputHost {
  readonly clock: Clock;
  readonly budget: TransferBudget;
  /** True while the daemon has unread data. */
  readonly isStalled: () => boolean;
}

interface OutputTarget {
  sendLines(entries: readonly LogEntry[]): void;
}

/** Processing of the output on its way. */
interface OutputOptions {
  readonly limits: OutputLimits;
  /** They are masked. */
  readonly secrets: readonly string[];
}

/** Pause of reading while the daemon has unread data. */
const STALL_MS = 20;

/** The output of one command: splits it into lines, keeps it within its limits, and sends it. */
export class CommandOutput {
  readonly #host: OutputHost;
  readonly #target: OutputTarget;
  readonly #options: OutputOptions;
  readonly #tail = new StderrTail();
  // Created by the first output: most commands print nothing.
  #splitters: Readonly<Record<OutputName, LineSplitter>> | null = null;
  #limiter: OutputLimiter | null = null;
  #pipes: readonly OutputPipe[] = [];
  #entries: LogEntry[] = [];
  #notes: LogEntry[] = [];
  #at = 0;
  #isResting = false;
  #isFinished = false;
  #onEnded: (() => void) | null = null;

  constructor(host: OutputHost, target: OutputTarget, options: OutputOptions) {
    this.#host = host;
    this.#target = target;
    this.#options = options;
  }

  /** The last lines of stderr as one text; may be empty. */
  get stderrTail(): string {
    return this.#tail.text;
  }

  /** True once no more output can come. */
  get isEnded(): boolean {
    return this.#pipes.every((pipe) => pipe.isEnded);
  }

  /** True if no more output is there now; null if unknown. */
  get isEmpty(): boolean | null {
    const more = this.#pipes.filter((pipe) => !pipe.isEnded).map((pipe) => pipe.hasMore);
    return more.includes(true) ? false : more.includes(null) ? null : true;
  }

  /** Call back when no more output can come. */
  onceEnded(callback: () => void): void {
    this.#onEnded = callback;
  }

  /** One of its pipes has ended. */
  pipeEnded(): void {
    if (this.isEnded) this.#onEnded?.();
  }

  attach({ stdout, stderr }: ProgramOutput): void {
    this.#pipes = [stdout, stderr];
  }

  /** Read from now on as output comes. */
  listen(): void {
    for (const pipe of this.#pipes) pipe.listen();
  }

  /** Read available data, if that is possible without waiting. */
  drain(): void {
    for (const pipe of this.#pipes) pipe.drain();
  }

  close(): void {
    for (const pipe of this.#pipes) pipe.close();
  }

  read(name: OutputName, chunk: Uint8Array): void {
    const now = this.#host.clock.now();
    // Output of a leftover process belongs to nobody.
    if (!this.#isFinished) {
      this.#at = now.wallMs;
      this.#splitters ??= this.#makeSplitters();
      this.#splitters[name].push(chunk);
      this.#send();
    }
    const { budget, isStalled } = this.#host;
    const restMs = budget.spend(now.monotonicMs, chunk.byteLength);
    if (restMs > 0) this.#rest(restMs);
    else if (isStalled()) this.#rest(STALL_MS);
  }

  /** Add a line of our own after the command's. */
  note(message: string): void {
    const at = this.#host.clock.now().wallMs;
    this.#notes.push({ at, level: "info", source: "system", message });
  }

  /** Send output that was kept back: nothing more belongs to the command. */
  finish(): void {
    if (this.#splitters !== null) {
      this.#at = this.#host.clock.now().wallMs;
      this.#splitters.stdout.flush();
      this.#splitters.stderr.flush();
      this.#entries.push(...this.#limiter?.finish(this.#at) ?? []);
    }
    this.#entries.push(...this.#notes);
    this.#send();
    this.#isFinished = true;
  }

  #makeSplitters(): Record<OutputName, LineSplitter> {
    const mask = new SecretMask(this.#options.secrets);
    return { stdout: this.#splitter("stdout", mask), stderr: this.#splitter("stderr", mask) };
  }

  #splitter(source: OutputName, mask: SecretMask): LineSplitter {
    const { limits } = this.#options;
    const level = source === "stdout" ? "info" : "warn";
    return new LineSplitter({
      mask,
      onLine: (text) => {
        this.#limiter ??= new OutputLimiter(limits, mask);
        const entry = this.#limiter.push({ at: this.#at, level, source, text });
        if (entry !== null) this.#entries.push(entry);
      },
    });
  }

  #send(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#tail.add(entries);
    let part: LogEntry[] = [];
    let length = 0;
    for (const entry of entries) {
      if (part.length === ENTRIES_MAX || length > ENTRIES_LENGTH_MAX) {
        this.#target.sendLines(part);
        part = [];
        length = 0;
      }
      part.push(entry);
      length += entry.message.length;
    }
    this.#target.sendLines(part);
  }

  #rest(restMs: number): void {
    // Either pipe may have caused the pause.
    if (this.#isResting) return;
    this.#isResting = true;
    for (const pipe of this.#pipes) pipe.pause();
    this.#host.clock.timer(Math.max(1, restMs), () => {
      this.#isResting = false;
      if (this.#host.isStalled()) return this.#rest(STALL_MS);
      for (const pipe of this.#pipes) pipe.resume();
    });
  }
}
