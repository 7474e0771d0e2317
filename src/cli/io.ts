import process from "node:process";
import { errorCode } from "../core/errors.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { createIdSource, type IdSource } from "../platform/ids.ts";
import { systemRandom } from "../platform/random.ts";
import type { Terminal } from "./screen/terminal.ts";
import type { ConnectOptions, JobClient } from "../rpc/client/client.ts";

/** A destination of text. A write resolves once the system has accepted it. */
export interface TextSink {
  write(text: string): Promise<void>;
}

/** Everything outside the program that a verb uses. Tests replace it. */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if stdout is a terminal. */
  readonly isTerminal: boolean;
  /** True if stderr is a terminal. */
  readonly isErrorTerminal?: boolean;
  /** Listen to Ctrl-C, or to these signals, which then do nothing else. Returns a stop function. */
  readonly onInterrupt?: (
    listener: () => void,
    signals?: readonly NodeJS.Signals[],
  ) => () => void;
  /** Ends the process although something still runs. Absent where that must not happen. */
  readonly end?: (code: number) => void;
  /** True if a question can be asked: stdin and stderr are terminals. */
  readonly isInteractive: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  /**
   * Shows a long text screen by screen. Absent off a terminal.
   *
   * @returns false if it could not, so that the text has to be written
   */
  readonly page?: (text: string) => Promise<boolean>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** For views that take all of it; the process's own unless a test replaces it. */
  readonly terminal?: Terminal;
  /** Opens the connection; the gRPC client unless a test replaces it. */
  readonly connect?: (settings: ConnectOptions) => JobClient | Promise<JobClient>;
}

const COLUMNS_DEFAULT = 100;

/** Width of texts for people that go into a file or a pipe. */
export const PLAIN_COLUMNS = 80;

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  // A failed write also emits "error", which ends the process unless someone listens.
  stream.on("error", () => {});
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => error ? reject(error) : resolve());
      }),
  };
}

/** The process's own streams, environment and clock. */
export function processIo(): CliIo {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdin: process.stdin,
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
    isErrorTerminal: process.stderr.isTTY === true,
    onInterrupt(listener, signals = ["SIGINT"]) {
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    end: (code) => process.exit(code),
    isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    columns: process.stdout.columns || COLUMNS_DEFAULT,
    ...(process.stdout.isTTY
      ? {
        page: async (text) => (await import("./docs/pager.ts")).pageText(text, process.env),
      }
      : {}),
    cwd: process.cwd(),
    clock: systemClock,
    newId: createIdSource(systemClock, systemRandom),
  };
}

/** True if a write failed because the reader has gone, as with `jobctl … | head`. */
export function isBrokenPipe(error: unknown): boolean {
  return errorCode(error) === "EPIPE";
}
