import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import type { Readable } from "node:stream";
import { errorCode, messageOf } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { forgottenVariables } from "../../platform/environment.ts";
import { createPipes, type Pipe } from "../../platform/process/pipe.ts";

/** Signals that are passed on to the command. */
const FORWARDED: readonly NodeJS.Signals[] = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGWINCH",
];
/** Signals that a terminal also sends to the command, since it has the same process group. */
const FROM_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(
  ["SIGINT", "SIGQUIT", "SIGHUP", "SIGCONT", "SIGWINCH"] as const,
);
/** Time for which processes left behind by a command may keep its output open. */
const LINGER_MS = 10_000;
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** The end of a command. Times are epoch ms. */
export interface CommandEnd {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Exit code as a shell returns it: for a signal, 128 and its number. */
  readonly exitCode: number;
  readonly signal: string | null;
  /** Why it could not be started; null on success. */
  readonly problem: string | null;
  /** The end of its output. */
  readonly output: string;
}

/** A command that was started. */
export interface RunningCommand {
  readonly startedAt: number;
  /** Resolves with its end. Its output may still be open. */
  readonly ended: Promise<CommandEnd>;
  /** Resolves when its whole output was passed on, or after 10 s. */
  readonly drained: Promise<void>;
}

/**
 * Start a command with our own standard input, output and errors, and pass signals on to it.
 *
 * @param outputBytesMax kept part of its output; 0 leaves it alone
 */
export function superviseCommand(
  argv: readonly string[],
  { outputBytesMax }: { readonly outputBytesMax: number },
): RunningCommand {
  const startedAt = systemClock.now().wallMs;
  const tail = new OutputTail(outputBytesMax);
  // A program behaves differently if it does not write to the terminal.
  const sinks = ([process.stdout, process.stderr] as const).map((sink) => {
    return outputBytesMax > 0 && sink.isTTY !== true ? sink : null;
  });
  const pipes = createPipes(sinks.filter((sink) => sink !== null).length) ?? [];
  const unused = [...pipes];
  const stdio = sinks.map((sink) => (sink && unused.shift()?.writer) ?? "inherit");
  let child: ChildProcess;
  try {
    child = spawn(argv[0]!, argv.slice(1), {
      stdio: ["inherit", stdio[0]!, stdio[1]!],
      env: { ...process.env, ...forgottenVariables() },
    });
  } catch (error) {
    closePipes(pipes);
    const ended = Promise.resolve(failedStart(argv[0]!, error, startedAt));
    return { startedAt, ended, drained: Promise.resolve() };
  }
  const unlisten = forwardSignals(child);
  for (const { writer } of pipes) closeSync(writer);
  const open = sinks.filter((sink) => sink !== null).slice(0, pipes.length);
  const pumped = open.map((sink, index) => pump(pipes[index]!.reader, sink, tail));
  const exited = new Promise<Omit<CommandEnd, "output">>((resolve) => {
    child.once("error", (error) => {
      if (child.pid === undefined) resolve(failedStart(argv[0]!, error, startedAt));
    });
    child.once("exit", (code, signal) => {
      const number = signal === null ? 0 : constants.signals[signal] ?? 0;
      const exitCode = code ?? 128 + number;
      const endedAt = systemClock.now().wallMs;
      resolve({ startedAt, endedAt, exitCode, signal, problem: null });
    });
  });
  const drained = Promise.all(pumped).then(() => {});
  const ended = exited.then(async (end) => {
    unlisten();
    // Usually everything was read before.
    await Promise.race([drained, pause(100)]);
    return { ...end, output: tail.text() };
  });
  return { startedAt, ended, drained: ended.then(() => Promise.race([drained, pause(LINGER_MS)])) };
}

function failedStart(program: string, error: unknown, startedAt: number): CommandEnd {
  const code = errorCode(error);
  const isMissing = code === "ENOENT";
  const reason = isMissing ? "not found" : code === "EACCES" ? "not executable" : messageOf(error);
  const problem = `Cannot run "${program}": ${reason}`;
  const exitCode = isMissing ? NOT_FOUND : NOT_EXECUTABLE;
  const endedAt = systemClock.now().wallMs;
  return { startedAt, endedAt, exitCode, signal: null, problem, output: "" };
}

/** Pass signals on. Returns a function that stops it. */
function forwardSignals(child: ChildProcess): () => void {
  const hasTerminal = process.stdin.isTTY === true;
  const listeners = FORWARDED.map((signal) => {
    const listener = () => {
      if (!hasTerminal || !FROM_TERMINAL.has(signal)) child.kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

/** Forward an output at the speed of its reader. Resolves at its end. */
function pump(reader: Readable, sink: NodeJS.WriteStream, tail: OutputTail): Promise<void> {
  return new Promise((resolve) => {
    // Our reader is gone: the command notices it as if it wrote there itself.
    sink.on("error", () => reader.destroy());
    reader.on("data", (bytes: Uint8Array) => {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      tail.add(Buffer.from(chunk));
      if (sink.write(chunk)) return;
      reader.pause();
      sink.once("drain", () => reader.resume());
    });
    reader.once("close", resolve);
    reader.once("error", () => resolve());
    reader.once("end", () => sink.write("", () => resolve()));
  });
}

function closePipes(pipes: readonly Pipe[]): void {
  for (const { reader, writer } of pipes) {
    reader.destroy();
    closeSync(writer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.timer(ms, resolve, { unref: true }));
}

/** The last bytes of an output, up to a limit. */
class OutputTail {
  readonly #bytesMax: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // One chunk more than needed stays, so that most outputs need no copy.
    while (this.#bytes - this.#chunks[0]!.length >= this.#bytesMax) {
      this.#bytes -= this.#chunks.shift()!.length;
      this.#isCut = true;
    }
  }

  /** As text, without an incomplete first line or character. */
  text(): string {
    const bytes = Buffer.concat(this.#chunks);
    const isCut = this.#isCut || bytes.length > this.#bytesMax;
    const tail = bytes.subarray(Math.max(0, bytes.length - this.#bytesMax));
    if (!isCut) return tail.toString("utf8");
    const lineEnd = tail.indexOf(0x0a);
    if (lineEnd >= 0) return tail.subarray(lineEnd + 1).toString("utf8");
    const start = tail.findIndex((byte) => (byte & 0xc0) !== 0x80);
    return tail.subarray(Math.max(0, start)).toString("utf8");
  }
}
